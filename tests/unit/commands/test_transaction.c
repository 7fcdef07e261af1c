/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/transaction.h"

#include "test.h"

static struct transaction transaction;

static int set_up(void **state)
{
    (void)state;
    transaction_init(&transaction);
    transaction_begin(&transaction);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    transaction_fini(&transaction);
    return 0;
}

#define TRANSACTION_TEST(name) TEST_SETUP(name, set_up, tear_down)

static struct command make(size_t words, struct bytes word)
{
    struct command command;
    command.argument_count = words;
    for (size_t i = 0; i < words; i++)
        command.argument[i] = word;
    return command;
}

TRANSACTION_TEST(what_was_added_comes_out)
{
    static char long_word[1000];
    memset(long_word, 'w', sizeof(long_word));
    const struct command given[] = {make(1, LITERAL("ping")), make(3, LITERAL("a\0\r\n")),
                                    make(2, LITERAL("")),
                                    make(COMMAND_ARGUMENTS_MAX, LITERAL("xy")),
                                    make(7, bytes_at(long_word, sizeof(long_word)))};
    for (size_t i = 0; i < LENGTH_OF(given); i++)
        assert_true(transaction_add(&transaction, &given[i]));
    struct transaction ready = transaction_take(&transaction);
    assert_false(transaction.is_open);
    assert_int_equal(ready.count, LENGTH_OF(given));
    static struct command command;
    for (size_t i = 0; i < LENGTH_OF(given); i++) {
        assert_true(transaction_next(&ready, &command));
        assert_int_equal(command.argument_count, given[i].argument_count);
        for (size_t word = 0; word < command.argument_count; word++)
            assert_views_equal(command.argument[word], given[i].argument[word]);
    }
    assert_false(transaction_next(&ready, &command));
    transaction_fini(&ready);
}

TRANSACTION_TEST(bytes_are_limited)
{
    static char word[60 * 1024];
    memset(word, 'w', sizeof(word));
    struct command big = make(1, bytes_at(word, sizeof(word)));
    for (int i = 0; i < 4; i++)
        assert_true(transaction_add(&transaction, &big));
    assert_false(transaction_add(&transaction, &big));
    assert_int_equal(transaction.count, 4);
    struct transaction ready = transaction_take(&transaction);
    static struct command command;
    for (int i = 0; i < 4; i++) {
        assert_true(transaction_next(&ready, &command));
        assert_views_equal(command.argument[0], big.argument[0]);
    }
    assert_false(transaction_next(&ready, &command));
    transaction_fini(&ready);
}

TRANSACTION_TEST(commands_are_limited)
{
    struct command small = make(1, LITERAL("p"));
    for (int i = 0; i < TRANSACTION_COMMANDS_MAX; i++)
        assert_true(transaction_add(&transaction, &small));
    assert_false(transaction_add(&transaction, &small));
    transaction_fini(&transaction);
    assert_false(transaction.is_open);
    assert_int_equal(transaction.count, 0);
    transaction_begin(&transaction);
    assert_true(transaction_add(&transaction, &small));
}
