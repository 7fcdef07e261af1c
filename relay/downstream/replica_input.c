/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "replconf.h"
#include "replica_private.h"

/* A replica says some forty bytes a second. One that says more, for whatever reason, does not keep the worker from
 * the others: the rest makes its socket readable again in the next turn. */
enum { RECEIVES_A_TURN = 4 };

/* Offsets only move forward. One beyond what was sent is none of ours: it counts as life, no more. */
static void note_offset(struct replica *replica, uint64_t offset)
{
    struct replica_stats *stats = replica->stats;
    bool was_sent =
        replica->machine.state == REPLICA_STREAMING && offset <= replica->feed.cursor.offset;
    if (stats->acknowledges && was_sent && offset > REPLICA_STATS_GET(stats, acknowledged))
        REPLICA_STATS_SET(stats, acknowledged, offset);
}

static void on_ack(struct replica *replica, uint64_t offset)
{
    replica_note_life(replica);
    bool is_first = feed_acknowledge(&replica->feed);
    if (is_first)
        replica_enter(replica, REPLICA_STREAMING, "first-ack");
    /* What is said before the RDB is through does not say that it was loaded. */
    if (replica->machine.state == REPLICA_STREAMING) {
        REPLICA_STATS_SET(replica->stats, has_acknowledged, true);
        feed_release_snapshot(&replica->feed);
    }
    note_offset(replica, offset);
    /* After its stats: who is told reads them on another thread (worker.c, (4) and (5)). */
    if (replica->on_acknowledged != NULL)
        replica->on_acknowledged(replica->on_acknowledged_arg);
    if (is_first)
        replica_send(replica);
    else if (replica->is_renamed)
        replica_check(replica);
}

static void replica_on_command(struct replica *replica, const struct command *command)
{
    uint64_t offset;
    if (command->argument_count == 0) {
        replica_note_life(replica);
        return;
    }
    switch (replconf_on_link(command, &offset)) {
    case REPLCONF_ACK:
        on_ack(replica, offset);
        return;
    case REPLCONF_NO_REPLY:
        return;
    case REPLCONF_UNEXPECTED:
        replica_close(replica, CLOSE_UNEXPECTED);
        return;
    }
    UNREACHABLE("no such word");
}

/* Takes the complete commands out of the input. */
static void read_commands(struct replica *replica)
{
    struct command command;
    unsigned taken = 0;
    while (!replica_is_closing(replica) && taken < replica->input_length) {
        enum reader_result result = reader_next(&replica->reader, replica->input + taken,
                                                replica->input_length - taken, &command);
        if (result == READER_MORE)
            break;
        if (result == READER_ERROR) {
            replica_close(replica, CLOSE_UNEXPECTED);
            return;
        }
        replica_on_command(replica, &command);
        taken += (unsigned)command.length;
    }
    /* The buffer is the replica's, so this is safe after it has closed as well. */
    memmove(replica->input, replica->input + taken, replica->input_length - taken);
    replica->input_length -= taken;
    if (!replica_is_closing(replica) && replica->input_length == sizeof(replica->input))
        replica_close(replica, CLOSE_UNEXPECTED); /* a command of this length needs a reply */
}

void replica_receive(struct replica *replica)
{
    for (int i = 0; i < RECEIVES_A_TURN && !replica_is_closing(replica); i++) {
        size_t received = 0;
        enum conn_io io = conn_receive(replica->conn, replica->input + replica->input_length,
                                       sizeof(replica->input) - replica->input_length, &received);
        if (io == CONN_AGAIN)
            return;
        if (io != CONN_OK) {
            replica_close(replica, io == CONN_END ? CLOSE_ENDED : CLOSE_FAILED);
            return;
        }
        replica_show_traffic(replica);
        replica->input_length += (unsigned)received;
        read_commands(replica);
    }
}

void replica_take_input(struct replica *replica, struct bytes input)
{
    while (input.length > 0 && !replica_is_closing(replica)) {
        size_t room = sizeof(replica->input) - replica->input_length;
        size_t part = input.length < room ? input.length : room;
        memcpy(replica->input + replica->input_length, input.data, part);
        replica->input_length += (unsigned)part;
        input = bytes_skip(input, part);
        read_commands(replica);
    }
}
