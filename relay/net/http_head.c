/* SPDX-License-Identifier: MIT */
#include "http_head.h"

#include <string.h>

#include "http_lines.h"
#include "relay/base/bytes.h"

/* What is found in the head, as views of it. */
struct found {
    struct bytes method;
    struct bytes path;
    struct bytes query;
    struct bytes host; /* with its port */
    struct bytes authorization;
    http_header_fn *on_header; /* NULL: nobody is told */
    void *on_header_arg;
    bool is_old; /* HTTP/1.0 */
    bool has_host;
    bool has_absolute_host; /* the target names it, which overrides the header */
    bool has_authorization;
    bool has_length;
    bool has_close;
};

/* NULL: no refusal yet. */
struct refusal {
    int code;
    const char *why;
};

static bool http_head_refuse(struct refusal *refusal, int code, const char *why)
{
    *refusal = (struct refusal){code, why};
    return false;
}

/* ---- the request line ---- */

/* "/path?query", "http://host:port/path?query" from a client that takes us for a proxy, or "*". */
static bool take_target(struct bytes target, struct found *found)
{
    static const char scheme[] = "http://";
    static const char secure[] = "https://";
    size_t skipped = bytes_starts(target, scheme)   ? sizeof scheme - 1
                     : bytes_starts(target, secure) ? sizeof secure - 1
                                                    : 0;
    if (skipped > 0) {
        target = bytes_skip(target, skipped);
        size_t length = bytes_find(target, '/');
        found->host = bytes_first(target, length);
        found->has_absolute_host = true;
        target = bytes_skip(target, length);
    }
    size_t length = bytes_find(target, '?');
    found->path = bytes_first(target, length);
    found->query = bytes_skip(target, length < target.length ? length + 1 : length);
    return skipped > 0 || target.data[0] == '/' || bytes_is(target, "*");
}

static bool take_request_line(struct bytes line, struct found *found, struct refusal *refusal)
{
    static const char version[] = "HTTP/1.";
    static const char no_http[] = "this is not HTTP\n";
    found->method = http_lines_take_word(&line);
    struct bytes target = http_lines_take_word(&line);
    if (!http_lines_is_visible(found->method) || !http_lines_is_visible(target) ||
        !http_lines_is_visible(line) || line.length != sizeof version ||
        !bytes_starts(line, "HTTP/"))
        return http_head_refuse(refusal, 400, no_http);
    if (!bytes_starts(line, version))
        return http_head_refuse(refusal, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here\n");
    found->is_old = line.data[sizeof version - 1] == '0';
    return take_target(target, found) ||
           http_head_refuse(refusal, 400, "the path must begin with /\n");
}

/* ---- headers ---- */

typedef bool header_fn(struct bytes value, struct found *found, struct refusal *refusal);

/* With two of them, a proxy before us might have looked at the other one (RFC 9112, 3.2). */
static bool take_host(struct bytes value, struct found *found, struct refusal *refusal)
{
    if (found->has_host)
        return http_head_refuse(refusal, 400, "two Host headers\n");
    found->has_host = true;
    if (!found->has_absolute_host)
        found->host = value;
    return true;
}

static bool take_authorization(struct bytes value, struct found *found, struct refusal *refusal)
{
    if (found->has_authorization)
        return http_head_refuse(refusal, 400, "two Authorization headers\n");
    found->has_authorization = true;
    found->authorization = value;
    return true;
}

static bool take_length(struct bytes value, struct found *found, struct refusal *refusal)
{
    uint64_t length;
    if (found->has_length || !bytes_to_u64(value, &length))
        return http_head_refuse(refusal, 400, "Content-Length must be one number\n");
    found->has_length = true;
    return length == 0 || http_head_refuse(refusal, 413, "a request has no body here\n");
}

/* Who counts the body otherwise than we do could hide a second request in it; no request here
 * needs one. */
static bool take_encoding(struct bytes value, struct found *found, struct refusal *refusal)
{
    (void)value;
    (void)found;
    return http_head_refuse(refusal, 413, "a request has no body here\n");
}

static bool take_connection(struct bytes value, struct found *found, struct refusal *refusal)
{
    (void)refusal;
    found->has_close = found->has_close || http_lines_is_listed(value, "close");
    return true;
}

static const struct {
    const char *name;
    header_fn *take;
} headers[] = {
    {"Host", take_host},
    {"Authorization", take_authorization},
    {"Content-Length", take_length},
    {"Transfer-Encoding", take_encoding},
    {"Connection", take_connection},
};

static bool take_header(struct bytes line, struct found *found, struct refusal *refusal)
{
    struct bytes name;
    struct bytes value;
    if (!http_lines_split_header(line, &name, &value))
        return http_head_refuse(refusal, 400, "a header that is not \"Name: value\"\n");
    if (found->on_header != NULL)
        found->on_header(name, value, found->on_header_arg);
    for (size_t i = 0; i < LENGTH_OF(headers); i++) {
        if (bytes_is(name, headers[i].name))
            return headers[i].take(value, found, refusal);
    }
    return true;
}

/* ---- what it amounts to ---- */

/* Splits off the port; only digits may stand there. */
static bool http_head_copy_host(struct bytes host, char out[ADDRESS_HOST_MAX])
{
    bool has_bracket = host.length > 0 && host.data[0] == '[';
    size_t length = has_bracket ? bytes_find(host, ']') + 1 : bytes_find(host, ':');
    if (length > host.length || length >= ADDRESS_HOST_MAX ||
        (length > 0 && !http_lines_is_visible(bytes_first(host, length))))
        return false;
    struct bytes port = bytes_skip(host, length);
    if (port.length > 0 && port.data[0] != ':')
        return false;
    for (size_t i = 1; i < port.length; i++) {
        if (port.data[i] < '0' || port.data[i] > '9')
            return false;
    }
    if (length > 0)
        memcpy(out, host.data, length);
    out[length] = '\0';
    return true;
}

/* GET and HEAD alone; the other methods of HTTP are known, and not allowed. */
static bool judge_method(struct bytes method, struct refusal *refusal)
{
    static const char *const known[] = {"PUT",     "POST",  "DELETE", "OPTIONS",
                                        "CONNECT", "TRACE", "PATCH"};
    if (bytes_equal(method, bytes_of("GET")) || bytes_equal(method, bytes_of("HEAD")))
        return true;
    for (size_t i = 0; i < LENGTH_OF(known); i++) {
        if (bytes_equal(method, bytes_of(known[i])))
            return http_head_refuse(refusal, 405, "only GET and HEAD are allowed\n");
    }
    return http_head_refuse(refusal, 501, "there is no such method\n");
}

/* The byte behind a view is a blank, a '?' or a line end, and nobody reads it again. */
static const char *terminate(char *data, struct bytes view)
{
    if (view.data == NULL)
        return "";
    char *start = data + (view.data - (const uint8_t *)data);
    start[view.length] = '\0';
    return start;
}

static bool read_all(struct bytes *rest, struct found *found, struct refusal *refusal,
                     bool *is_whole)
{
    struct bytes line;
    *is_whole = false;
    if (!http_lines_take(rest, &line))
        return true;
    if (!take_request_line(line, found, refusal))
        return false;
    while (http_lines_take(rest, &line)) {
        *is_whole = line.length == 0;
        if (*is_whole)
            return true;
        if (!take_header(line, found, refusal))
            return false;
    }
    return true;
}

/* Read from the beginning each time that bytes have come: a head has 8 KB at the most, and
 * nothing has to be kept of one that is half here. */
enum http_head_result http_head_read_with(char *data, size_t length, http_header_fn *fn, void *arg,
                                          struct http_head *head)
{
    struct bytes rest = bytes_at(data, length);
    struct found found = {.on_header = fn, .on_header_arg = arg};
    struct refusal refusal = {0, NULL};
    bool is_whole;
    /* Empty lines before a request are an old mistake of clients. */
    while (rest.length > 0 && (rest.data[0] == '\r' || rest.data[0] == '\n'))
        rest = bytes_skip(rest, 1);
    bool good = read_all(&rest, &found, &refusal, &is_whole);
    if (good && !is_whole)
        return HTTP_HEAD_PART;
    *head = (struct http_head){
        .length = length - rest.length,
        .is_head = bytes_equal(found.method, bytes_of("HEAD")),
    };
    good = good && (http_head_copy_host(found.host, head->host) ||
                    http_head_refuse(&refusal, 400, "the Host header names no host\n"));
    good = good && judge_method(found.method, &refusal);
    head->is_last = found.is_old || found.has_close || !good;
    head->code = refusal.code;
    head->why = refusal.why;
    if (!good)
        return HTTP_HEAD_BAD;
    head->request = (struct http_request){
        .path = found.path.length > 0 ? terminate(data, found.path) : "/",
        .query = terminate(data, found.query),
        .host = head->host,
        .authorization = terminate(data, found.authorization),
        .peer = "",
    };
    return HTTP_HEAD_WHOLE;
}

enum http_head_result http_head_read(char *data, size_t length, struct http_head *head)
{
    return http_head_read_with(data, length, NULL, NULL, head);
}
