/* SPDX-License-Identifier: MIT
 *
 * The handshake with whatever a primary answers: it ends the same, says the same and leaves the same
 * bytes behind it however the answers were cut. The last byte also says what is asked for.
 */
#include "fuzz.h"

#include "../../relay/upstream/handshake.h"

enum { OUT_MAX = 64 * 1024 };

struct ending {
    enum handshake_result result;
    struct psync_reply reply;
    struct primary_info info;
    size_t left; /* bytes behind the reply, with HANDSHAKE_DONE */
    struct text out;
};

static const char *veto(const struct primary_info *info, void *arg)
{
    (void)arg;
    return info->has_role && !info->is_primary ? "a replica" : NULL;
}

static struct handshake_terms terms_of(unsigned choice)
{
    struct handshake_terms terms = {
        .user = (choice & 1) != 0 ? "relay" : NULL,
        .password = (choice & 3) != 0 ? "secret" : "",
        .announce_ip = (choice & 4) != 0 ? "192.0.2.1" : NULL,
        .announce_port = 6380,
        .asks_limits = (choice & 64) != 0,
        .announce_version = (choice & 32) != 0 ? 0x080103 : 0,
        .rdb_only = (choice & 8) != 0,
        .has_history = (choice & 16) != 0,
        .offset = 4711,
        .offset_min = 4000,
        .veto = (choice & 2) != 0 ? veto : NULL,
    };
    CHECK(replid_parse(bytes_of("8e7f0123456789abcdef0123456789abcdef0123"), &terms.replid));
    terms.has_part = true; /* a relay alone is told of it */
    terms.part = (struct rdb_part){
        .replid = terms.replid, .offset = 4711, .length = 20000, .bytes = 4096, .crc = 7};
    return terms;
}

static void greet(struct bytes answers, const struct handshake_terms *terms, struct cuts cuts,
                  struct ending *ending)
{
    struct handshake handshake;
    struct bytes left = answers;
    handshake_init(&handshake);
    memset(ending, 0, sizeof(*ending));
    text_init(&ending->out, OUT_MAX);
    handshake_start(&handshake, terms, &ending->out);
    while (ending->result == HANDSHAKE_MORE && left.length > 0) {
        struct bytes arrived = cuts_next(&cuts, &left);
        uint8_t *copy = exact_copy(arrived);
        struct bytes input = bytes_at(copy, arrived.length);
        ending->result = handshake_feed(&handshake, &input, &ending->out);
        CHECK(input.length == 0 || ending->result != HANDSHAKE_MORE);
        ending->left = input.length + left.length;
        free(copy);
    }
    bool is_over = ending->result == HANDSHAKE_FAILED || ending->result == HANDSHAKE_PASSED;
    CHECK(is_over == (handshake.error[0] != '\0'));
    if (ending->result == HANDSHAKE_DONE)
        ending->reply = handshake.reply;
    ending->info = handshake.info;
    CHECK(!ending->out.failed);
    handshake_fini(&handshake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ending whole;
    struct ending pieces;
    struct handshake_terms terms = terms_of(size > 0 ? data[size - 1] >> 3 : 0);
    greet(bytes_at(data, size), &terms, (struct cuts){.longest = (size_t)1 << 30}, &whole);
    greet(bytes_at(data, size), &terms, cuts_of(data, size), &pieces);
    CHECK(whole.result == pieces.result);
    CHECK(bytes_equal(text_bytes(&whole.out), text_bytes(&pieces.out)));
    CHECK(strcmp(whole.info.server_version, pieces.info.server_version) == 0);
    CHECK(strcmp(whole.info.valkey_version, pieces.info.valkey_version) == 0);
    CHECK(whole.info.second_offset == pieces.info.second_offset);
    if (whole.result == HANDSHAKE_DONE) {
        CHECK(whole.left == pieces.left);
        CHECK(whole.reply.verdict == pieces.reply.verdict);
        CHECK(whole.reply.offset == pieces.reply.offset);
        CHECK(whole.reply.has_replid == pieces.reply.has_replid);
        CHECK(whole.reply.rdb_begin == pieces.reply.rdb_begin);
        CHECK(whole.reply.rdb_begin == 0 || whole.reply.rdb_begin == terms.part.bytes);
        CHECK(whole.reply.verdict == PSYNC_FULLRESYNC || terms.has_history);
    }
    text_fini(&pieces.out);
    text_fini(&whole.out);
    return 0;
}
