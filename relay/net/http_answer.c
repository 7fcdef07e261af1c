/* SPDX-License-Identifier: MIT */
#include "http_answer.h"

/* "HTTP/1.1 101 Switching Protocols"; the reason may be missing, with the blank before it. */
static bool http_answer_take_status(struct bytes line, struct http_answer *answer)
{
    static const char version[] = "HTTP/1.";
    struct bytes word = http_lines_take_word(&line);
    uint64_t code;
    if (word.length != sizeof version || !bytes_starts(word, version))
        return false;
    struct bytes digits = http_lines_take_word(&line);
    if (digits.length != 3 || !bytes_to_u64(digits, &code) || code < 100 || code > 599)
        return false;
    answer->code = (int)code;
    (void)bytes_printable(line, answer->reason, sizeof answer->reason);
    return true;
}

enum http_answer_result http_answer_read(struct bytes data, http_header_fn *fn, void *arg,
                                         struct http_answer *answer)
{
    struct bytes rest = data;
    struct bytes line;
    struct bytes name;
    struct bytes value;
    if (!http_lines_take(&rest, &line))
        return data.length > 0 && data.data[0] != 'H' ? HTTP_ANSWER_BAD : HTTP_ANSWER_PART;
    if (!http_answer_take_status(line, answer))
        return HTTP_ANSWER_BAD;
    while (http_lines_take(&rest, &line)) {
        if (line.length == 0) {
            answer->length = data.length - rest.length;
            return HTTP_ANSWER_WHOLE;
        }
        if (!http_lines_split_header(line, &name, &value))
            return HTTP_ANSWER_BAD;
        if (fn != NULL)
            fn(name, value, arg);
    }
    return HTTP_ANSWER_PART;
}

/* The shortest end is an empty line behind a line: "\n" or "\r\n", where a line has just ended. */
size_t http_answer_lacks(struct bytes data)
{
    uint8_t last = data.length > 0 ? data.data[data.length - 1] : 0;
    uint8_t before = data.length > 1 ? data.data[data.length - 2] : 0;
    return last == '\n' || (last == '\r' && before == '\n') ? 1 : 2;
}
