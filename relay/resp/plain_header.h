/* SPDX-License-Identifier: MIT
 *
 * A header line of the protocol that lies whole in a view and is plain: the way of nearly all of them through the
 * tokenizer and the command scanner. Pure. Any thread.
 */
#ifndef RELAY_RESP_PLAIN_HEADER_H
#define RELAY_RESP_PLAIN_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_END = 2, PLAIN_DIGITS_MAX = 9 };

/* Reads "<kind><digits>\r\n" where it is whole and plain. NULL: it is not, for whatever reason. */
static inline const uint8_t *plain_header(const uint8_t *place, const uint8_t *end, uint8_t kind,
                                          uint64_t *number)
{
    if (end - place < 1 + PLAIN_DIGITS_MAX + LINE_END || *place != kind)
        return NULL;
    const uint8_t *digit = place + 1;
    unsigned value = 0;
    for (unsigned one; (one = (unsigned)*digit - '0') <= 9; digit++) {
        if (digit == place + 1 + PLAIN_DIGITS_MAX)
            return NULL;
        value = value * 10 + one;
    }
    bool leading_zero = place[1] == '0' && digit != place + 2;
    if (digit == place + 1 || leading_zero || digit[0] != '\r' || digit[1] != '\n')
        return NULL;
    *number = value;
    return digit + LINE_END;
}

#endif
