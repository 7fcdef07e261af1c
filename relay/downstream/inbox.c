/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 1024 };

void inbox_fini(struct inbox *inbox)
{
    free(inbox->bytes);
    *inbox = (struct inbox){.bytes = NULL};
}

struct bytes inbox_left(const struct inbox *inbox)
{
    if (inbox->length == inbox->taken)
        return bytes_at(NULL, 0);
    return bytes_at(inbox->bytes + inbox->taken, inbox->length - inbox->taken);
}

bool inbox_make_space(struct inbox *inbox)
{
    if (inbox->length < inbox->capacity)
        return true;
    size_t capacity = inbox->capacity == 0 ? CAPACITY_FIRST : inbox->capacity * 2;
    if (capacity > INBOX_MAX)
        capacity = INBOX_MAX;
    CHECK(capacity > inbox->capacity);
    uint8_t *bytes = realloc(inbox->bytes, capacity);
    if (bytes == NULL)
        return false;
    inbox->bytes = bytes;
    inbox->capacity = capacity;
    return true;
}

void inbox_drop_taken(struct inbox *inbox)
{
    size_t left = inbox->length - inbox->taken;
    if (left == 0) {
        if (inbox->length > 0)
            explicit_bzero(inbox->bytes, inbox->length);
        inbox_fini(inbox);
        return;
    }
    memmove(inbox->bytes, inbox->bytes + inbox->taken, left);
    explicit_bzero(inbox->bytes + left, inbox->length - left);
    inbox->length = left;
    inbox->taken = 0;
}
