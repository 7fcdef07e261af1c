/* SPDX-License-Identifier: MIT */
#include "relay/resp/reply.h"

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "test.h"

/* As text: kinds by their signs, depth by brackets' place, "(nil)" for null. */
static void show(const struct reply *reply, struct text *out)
{
    static const char signs[] = "+-:$?*";
    for (size_t i = 0; i < reply->count; i++) {
        const struct reply_item *item = &reply->item[i];
        text_format(out, "%s%u%c", i > 0 ? " " : "", item->depth, signs[item->kind]);
        if (item->kind == REPLY_INTEGER || item->kind == REPLY_ARRAY)
            text_format(out, "%lld", (long long)item->number);
        else
            text_append(out, item->text);
    }
}

static void assert_reads(struct bytes input, const char *expected, size_t length)
{
    struct reply reply;
    struct text shown;
    text_init(&shown, 4096);
    enum reply_result result = reply_read(input, &reply);
    if (result != REPLY_WHOLE)
        fail_msg("expected %s, got %s", expected, result == REPLY_MORE ? "more" : reply.error);
    show(&reply, &shown);
    assert_string_equal(text_string(&shown), expected);
    assert_int_equal(reply.length, length);
    text_fini(&shown);
}

static const struct {
    const char *wire;
    const char *shown;
} good[] = {
    {"+OK\r\n", "0+OK"},
    {"+\r\n", "0+"},
    {"-ERR no\r\n", "0-ERR no"},
    {":0\r\n", "0:0"},
    {":-12\r\n", "0:-12"},
    {"$0\r\n\r\n", "0$"},
    {"$5\r\na\r\nbc\r\n", "0$a\r\nbc"},
    {"$-1\r\n", "0?"},
    {"*-1\r\n", "0?"},
    {"*0\r\n", "0*0"},
    {"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n", "0*2 1$127.0.0.1 1$6379"},
    {"*3\r\n*2\r\n:1\r\n*0\r\n*1\r\n*1\r\n+x\r\n-y\r\n", "0*3 1*2 2:1 2*0 1*1 2*1 3+x 1-y"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "0*1 1*1 2*1 3*1 4:1"},
};

/* Every beginning of it asks for more, looks at nothing behind itself, and what follows is left alone. */
TEST(reads_replies_that_come_in_two_pieces)
{
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        size_t length = strlen(good[i].wire);
        for (size_t cut = 0; cut < length; cut++) {
            char *exact = malloc(cut == 0 ? 1 : cut);
            assert_non_null(exact);
            memcpy(exact, good[i].wire, cut);
            struct reply reply;
            if (reply_read(bytes_at(exact, cut), &reply) != REPLY_MORE)
                fail_msg("expected the first %zu bytes of reply %zu to be too few", cut, i);
            free(exact);
        }
        assert_reads(bytes_of(good[i].wire), good[i].shown, length);
        char followed[200];
        snprintf(followed, sizeof(followed), "%s*1\r\n?", good[i].wire);
        assert_reads(bytes_of(followed), good[i].shown, length);
    }
}

static void assert_nonsense(struct bytes input, const char *error)
{
    struct reply reply;
    assert_int_equal(reply_read(input, &reply), REPLY_NONSENSE);
    assert_string_equal(reply.error, error);
}

TEST(refuses_what_is_no_reply)
{
    static const struct {
        const char *wire;
        const char *error;
    } rows[] = {
        {"OK\r\n", "a byte that begins no reply"},
        {"\r\n", "a byte that begins no reply"},
        {"%1\r\n", "a byte that begins no reply"}, /* RESP3 */
        {">2\r\n", "a byte that begins no reply"},
        {"_\r\n", "a byte that begins no reply"},
        {"*1\r\nx", "a byte that begins no reply"},
        {"+OK\n", "a line ends without CR"},
        {"+OK\rx", "CR without LF in a line"},
        {":\r\n", "a number that is none"},
        {":1x\r\n", "a number that is none"},
        {":99999999999999999999\r\n", "a number that is none"},
        {"$x\r\n", "a bulk string of no length"},
        {"$-2\r\n", "a bulk string of no length"},
        {"$16385\r\n", "a bulk string over our limit"},
        {"$9223372036854775807\r\n", "a bulk string over our limit"},
        {"$2\r\nabc\r\n", "a bulk string that does not end where it should"},
        {"*\r\n", "an array of no length"},
        {"*-2\r\n", "an array of no length"},
        {"*64\r\n", "an array over our limit"},
        {"*9223372036854775807\r\n", "an array over our limit"},
        {"*2\r\n*40\r\n:1\r\n*60\r\n", NULL},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "arrays nested over our limit"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct reply reply;
        if (rows[i].error != NULL)
            assert_nonsense(bytes_of(rows[i].wire), rows[i].error);
        else
            assert_int_equal(reply_read(bytes_of(rows[i].wire), &reply), REPLY_MORE);
    }
}

TEST(many_small_arrays_do_not_pass_the_limit_of_items)
{
    struct text wire;
    text_init(&wire, 4096);
    text_append_string(&wire, "*2\r\n*40\r\n");
    for (unsigned i = 0; i < 40; i++)
        text_append_string(&wire, ":1\r\n");
    text_append_string(&wire, "*21\r\n");
    for (unsigned i = 0; i < 20; i++)
        text_append_string(&wire, ":1\r\n");
    struct reply reply;
    assert_int_equal(reply_read(text_bytes(&wire), &reply), REPLY_MORE);
    text_append_string(&wire, ":1\r\n");
    assert_int_equal(reply_read(text_bytes(&wire), &reply), REPLY_WHOLE);
    assert_int_equal(reply.count, REPLY_ITEMS_MAX);
    text_clear(&wire);
    text_append_string(&wire, "*2\r\n*62\r\n");
    for (unsigned i = 0; i < 62; i++)
        text_append_string(&wire, ":1\r\n");
    assert_int_equal(reply_read(text_bytes(&wire), &reply), REPLY_MORE);
    text_append_string(&wire, ":1\r\n");
    assert_nonsense(text_bytes(&wire), "an array over our limit");
    text_fini(&wire);
}

TEST(a_full_buffer_is_whole_or_nonsense)
{
    static char buffer[REPLY_LENGTH_MAX + 10];
    memset(buffer, 'x', sizeof(buffer));
    buffer[0] = '+';
    struct reply reply;
    assert_int_equal(reply_read(bytes_at(buffer, REPLY_LENGTH_MAX - 1), &reply), REPLY_MORE);
    assert_nonsense(bytes_at(buffer, REPLY_LENGTH_MAX), "a reply over our limit");
    memcpy(buffer + REPLY_LENGTH_MAX - 2, "\r\n", 2);
    assert_int_equal(reply_read(bytes_at(buffer, REPLY_LENGTH_MAX), &reply), REPLY_WHOLE);
    assert_int_equal(reply_read(bytes_at(buffer, sizeof(buffer)), &reply), REPLY_WHOLE);
    assert_int_equal(reply.length, REPLY_LENGTH_MAX);
    memcpy(buffer, "$16384\r\n", 8);
    assert_nonsense(bytes_at(buffer, sizeof(buffer)), "a reply over our limit");
}

/* Whatever comes, it is read within its bounds. */
TEST(noise)
{
    static const char alphabet[] = "+-:$*\r\n0129x";
    uint64_t seed = 4711;
    unsigned seen[3] = {0};
    for (unsigned round = 0; round < 200000; round++) {
        size_t length = (size_t)test_random_below(&seed, 24);
        char *noise = malloc(length == 0 ? 1 : length);
        assert_non_null(noise);
        for (size_t i = 0; i < length; i++)
            noise[i] = alphabet[test_random_below(&seed, sizeof(alphabet) - 1)];
        struct reply reply;
        enum reply_result result = reply_read(bytes_at(noise, length), &reply);
        seen[result]++;
        assert_true(reply.count <= REPLY_ITEMS_MAX);
        assert_true(reply.length <= length);
        assert_int_equal(result == REPLY_WHOLE, reply.length > 0);
        free(noise);
    }
    assert_true(seen[REPLY_MORE] > 0 && seen[REPLY_WHOLE] > 0 && seen[REPLY_NONSENSE] > 0);
}
