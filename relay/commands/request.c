/* SPDX-License-Identifier: MIT */
#include "request.h"

enum { REASON_LENGTH_MAX = 1024 };

bool request_read_address(struct request *request, size_t at, struct primary_address *out)
{
    struct text why;
    text_init(&why, REASON_LENGTH_MAX);
    /* A host that can never be a server is refused at once instead of tried for ever. */
    bool has_host = primary_host_parse(argument(request, at), out->host, &why);
    bool good = has_host &&
                primary_address_parse(argument(request, at), argument(request, at + 1), out, &why);
    if (!has_host)
        write_error(request->writer, "ERR Invalid master host: %s", text_string(&why));
    else if (!good)
        write_error(request->writer, "ERR Invalid master port");
    text_fini(&why);
    return good;
}
