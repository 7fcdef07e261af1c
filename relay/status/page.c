/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/bytes.h"

/* Paths are from the top of the tree, where make runs; the Makefile knows that this file needs them. */
#define EMBED(symbol, file)                                                                        \
    __asm__(".pushsection .rodata\n"                                                               \
            ".global " #symbol "\n.global " #symbol "_end\n" #symbol ":\n"                         \
            ".incbin \"relay/status/page/" file "\"\n" #symbol "_end:\n"                           \
            ".popsection\n");                                                                      \
    extern const char symbol[], symbol##_end[]

EMBED(page_html, "page.html");
EMBED(page_css, "page.css");
EMBED(page_js, "page.js");

#define EMBEDDED(symbol) bytes_at(symbol, (size_t)(symbol##_end - symbol))

/* "{{css}}" and the like in the page, and what goes there. */
static bool page_fill(struct bytes rest, const char *nonce, struct text *out, size_t *length)
{
    const struct {
        const char *mark;
        struct bytes content;
    } holes[] = {
        {"{{nonce}}", bytes_of(nonce)},
        {"{{css}}", EMBEDDED(page_css)},
        {"{{js}}", EMBEDDED(page_js)},
    };
    for (size_t i = 0; i < LENGTH_OF(holes); i++) {
        if (!bytes_starts(rest, holes[i].mark))
            continue;
        text_append(out, holes[i].content);
        *length = strlen(holes[i].mark);
        return true;
    }
    return false;
}

void page_write(const char *nonce, struct text *out)
{
    struct bytes rest = EMBEDDED(page_html);
    while (rest.length > 0) {
        size_t length = bytes_find(rest, '{');
        text_append(out, bytes_first(rest, length));
        rest = bytes_skip(rest, length);
        if (rest.length == 0)
            break;
        if (!page_fill(rest, nonce, out, &length)) {
            text_append(out, bytes_first(rest, 1));
            length = 1;
        }
        rest = bytes_skip(rest, length);
    }
}

const char *page_policy(const char *nonce, char out[PAGE_POLICY_MAX])
{
    snprintf(out, PAGE_POLICY_MAX,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
             "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
    return out;
}
