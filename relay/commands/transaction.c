/* SPDX-License-Identifier: MIT */
#include "transaction.h"

#include <string.h>

void transaction_init(struct transaction *transaction)
{
    *transaction = (struct transaction){.is_open = false};
    text_init(&transaction->queue, TRANSACTION_BYTES_MAX);
}

void transaction_fini(struct transaction *transaction)
{
    if (transaction->queue.data != NULL) /* there may be an AUTH in it */
        explicit_bzero(transaction->queue.data, transaction->queue.capacity);
    text_fini(&transaction->queue);
    transaction_init(transaction);
}

void transaction_begin(struct transaction *transaction)
{
    CHECK(!transaction->is_open && transaction->count == 0);
    transaction->is_open = true;
}

static void append_number(struct text *queue, size_t number)
{
    text_append(queue, bytes_at(&number, sizeof(number)));
}

/* Each command is the number of its words, then each word its length and its bytes. */
bool transaction_add(struct transaction *transaction, const struct command *command)
{
    CHECK(transaction->is_open);
    struct text *queue = &transaction->queue;
    size_t before = queue->length;
    if (transaction->count == TRANSACTION_COMMANDS_MAX || queue->failed)
        return false;
    append_number(queue, command->argument_count);
    for (size_t i = 0; i < command->argument_count; i++) {
        append_number(queue, command->argument[i].length);
        text_append(queue, command->argument[i]);
    }
    if (queue->failed) {
        queue->length = before;
        return false;
    }
    transaction->count++;
    return true;
}

struct transaction transaction_take(struct transaction *transaction)
{
    CHECK(transaction->is_open);
    /* EXEC may run a RESET, or close the client: what it runs must not be in the client's state then. */
    struct transaction taken = *transaction;
    transaction_init(transaction);
    return taken;
}

static size_t transaction_take_number(struct transaction *transaction)
{
    size_t number;
    CHECK(transaction->queue.length - transaction->taken >= sizeof(number));
    memcpy(&number, transaction->queue.data + transaction->taken, sizeof(number));
    transaction->taken += sizeof(number);
    return number;
}

bool transaction_next(struct transaction *transaction, struct command *command)
{
    if (transaction->taken == transaction->queue.length)
        return false;
    command->length = 0; /* it is in nobody's input */
    command->argument_count = transaction_take_number(transaction);
    CHECK(command->argument_count <= COMMAND_ARGUMENTS_MAX);
    for (size_t i = 0; i < command->argument_count; i++) {
        size_t length = transaction_take_number(transaction);
        CHECK(transaction->queue.length - transaction->taken >= length);
        command->argument[i] = bytes_at(transaction->queue.data + transaction->taken, length);
        transaction->taken += length;
    }
    return true;
}
