/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/run_id_chain.h"

#include "test.h"

static const char *id_of(unsigned which)
{
    static char id[REPLID_DIGITS + 1];
    snprintf(id, sizeof(id), "%040x", which + 1);
    return id;
}

static void expect_text(const struct run_id_chain *chain, const char *expected)
{
    struct text text;
    text_init(&text, RUN_ID_CHAIN_TEXT_MAX);
    run_id_chain_format(chain, &text);
    assert_false(text.failed);
    assert_string_equal(text_string(&text), expected);
    text_fini(&text);
}

/* Relay below relay, each reads what the one above it tells: as long as there is room, all are known. */
TEST(grows_by_one_with_each_relay)
{
    struct run_id_chain chain = {.count = 0};
    for (unsigned length = 1; length <= RUN_ID_CHAIN_MAX + 5; length++) {
        struct run_id_chain read = {.is_complete = chain.is_complete};
        struct text text;
        text_init(&text, RUN_ID_CHAIN_TEXT_MAX);
        run_id_chain_format(&chain, &text);
        assert_false(text.failed);
        run_id_chain_parse(text_bytes(&text), &read);
        text_fini(&text);
        assert_int_equal(read.count, chain.count);
        run_id_chain_extend(id_of(length), length == 1, &read, &chain);
        bool fits = length <= RUN_ID_CHAIN_MAX;
        assert_int_equal(chain.count, fits ? length : RUN_ID_CHAIN_MAX);
        assert_int_equal(chain.is_complete, fits);
        assert_string_equal(chain.at[0], id_of(length));
        assert_true(run_id_chain_has(&chain, id_of(length)));
        assert_int_equal(run_id_chain_has(&chain, id_of(1)), fits);
    }
}

TEST(a_server_that_does_not_tell_has_none)
{
    struct run_id_chain above = {.count = 1, .is_complete = true};
    struct run_id_chain chain;
    memcpy(above.at[0], id_of(7), sizeof(above.at[0]));
    run_id_chain_extend("", true, &above, &chain);
    assert_int_equal(chain.count, 0);
    assert_false(chain.is_complete);
    expect_text(&chain, "");
    const struct run_id_chain none = {.count = 0};
    run_id_chain_extend(id_of(3), false, &none, &chain); /* a replica of a server */
    assert_int_equal(chain.count, 1);
    assert_false(chain.is_complete);
    expect_text(&chain, id_of(3));
}

TEST(nonsense_is_none)
{
    static const char good[] = "8e7f0123456789abcdef0123456789abcdef0123";
    struct run_id_chain chain = {.count = 0};
    struct text text;
    text_init(&text, 4096);
    for (unsigned i = 0; i <= RUN_ID_CHAIN_MAX; i++)
        text_format(&text, "%s%s", i > 0 ? "," : "", good);
    run_id_chain_parse(text_bytes(&text), &chain);
    assert_int_equal(chain.count, 0);
    text_fini(&text);
    static const char *const nonsense[] = {"", ",", "x", "8e7f",
                                           "8e7f0123456789abcdef0123456789abcdef0123,x"};
    for (size_t i = 0; i < LENGTH_OF(nonsense); i++) {
        run_id_chain_parse(bytes_of(nonsense[i]), &chain);
        assert_int_equal(chain.count, 0);
    }
    run_id_chain_parse(bytes_of(good), &chain);
    assert_int_equal(chain.count, 1);
}
