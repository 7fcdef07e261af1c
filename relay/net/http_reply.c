/* SPDX-License-Identifier: MIT */
#include "http_reply.h"

#include <time.h>

static const char *phrase(int code)
{
    static const struct {
        int code;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < LENGTH_OF(known); i++) {
        if (known[i].code == code)
            return known[i].phrase;
    }
    return "Internal Server Error";
}

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT", in English whatever the locale. */
static void append_date(int64_t wall_us, struct text *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(wall_us / 1000000);
    struct tm tm;
    if (gmtime_r(&now, &tm) == NULL)
        return;
    text_format(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                days + (size_t)tm.tm_wday * 3, tm.tm_mday, months + (size_t)tm.tm_mon * 3,
                tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void http_reply_format_head(const struct http_reply *reply, bool is_last, int64_t wall_us,
                            struct text *out)
{
    text_format(out, "HTTP/1.1 %d %s\r\n", reply->code, phrase(reply->code));
    if (reply->code == 405)
        text_append_string(out, "Allow: GET, HEAD\r\n");
    if (reply->code == 401)
        text_append_string(out, "WWW-Authenticate: Basic realm=\"psync-relay\", "
                                "charset=\"UTF-8\"\r\n");
    if (reply->code == 426)
        text_append_string(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    if (reply->code == 429)
        text_append_string(out, "Retry-After: 1\r\n");
    text_format(out, "Content-Type: %s\r\nContent-Length: %zu\r\nContent-Security-Policy: %s\r\n",
                reply->type, reply->body.length, reply->policy);
    text_append_string(out, "Cache-Control: no-store\r\n"
                            "Cross-Origin-Resource-Policy: same-origin\r\n"
                            "Referrer-Policy: no-referrer\r\n"
                            "X-Content-Type-Options: nosniff\r\n"
                            "X-Frame-Options: DENY\r\n");
    append_date(wall_us, out);
    text_append_string(out, is_last ? "Connection: close\r\n\r\n" : "\r\n");
}
