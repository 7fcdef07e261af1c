/* SPDX-License-Identifier: MIT */
#include "relay/net/mailbox.h"

#include "sockets.h"

enum { POSTERS = 6, MESSAGES = 20000 };

/* The message is not the first member: a mailbox must not care. */
struct note {
    unsigned poster;
    unsigned number;
    struct message message;
};

struct reader {
    struct loop *loop;
    struct mailbox *mailbox;
    unsigned next[POSTERS]; /* the number that is due of each */
    unsigned total;
    unsigned stop_at;
};

static struct note *note_of(struct message *message)
{
    return (struct note *)(void *)((char *)message - offsetof(struct note, message));
}

static void open_note(struct message *message, void *arg)
{
    struct reader *reader = arg;
    struct note *note = note_of(message);
    assert_in_range(note->poster, 0, POSTERS - 1);
    assert_int_equal(note->number, reader->next[note->poster]);
    reader->next[note->poster]++;
    free(note);
    if (++reader->total == reader->stop_at)
        loop_stop(reader->loop);
}

static void begin(struct reader *reader, unsigned stop_at)
{
    *reader = (struct reader){.loop = new_loop(), .stop_at = stop_at};
    reader->mailbox = mailbox_new(reader->loop, open_note, reader);
    assert_non_null(reader->mailbox);
}

static void post(struct mailbox *mailbox, unsigned poster, unsigned number)
{
    struct note *note = calloc(1, sizeof *note);
    assert_non_null(note);
    note->poster = poster;
    note->number = number;
    mailbox_post(mailbox, &note->message);
}

TEST(messages_are_opened_on_the_loop_in_the_order_of_posting)
{
    struct reader reader;
    begin(&reader, 5);
    for (unsigned i = 0; i < 5; i++)
        post(reader.mailbox, 0, i);
    assert_int_equal(reader.total, 0);
    run(reader.loop, "five letters");
    assert_int_equal(reader.next[0], 5);
    mailbox_free(&reader.mailbox);
    loop_free(&reader.loop);
}

TEST(what_is_left_is_opened_when_the_mailbox_is_freed)
{
    struct reader reader;
    begin(&reader, 0);
    for (unsigned i = 0; i < 3; i++)
        post(reader.mailbox, 1, i);
    mailbox_free(&reader.mailbox);
    assert_null(reader.mailbox);
    assert_int_equal(reader.next[1], 3);
    loop_free(&reader.loop);
}

struct poster {
    pthread_t thread;
    struct mailbox *mailbox;
    unsigned which;
};

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (unsigned i = 0; i < MESSAGES; i++)
        post(poster->mailbox, poster->which, i);
    return NULL;
}

TEST(many_threads_post_at_once_and_nothing_is_lost)
{
    struct reader reader;
    begin(&reader, POSTERS * MESSAGES);
    struct poster posters[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.mailbox = reader.mailbox, .which = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    run(reader.loop, "the letters of all threads");
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(reader.next[i], MESSAGES);
    }
    assert_int_equal(reader.total, POSTERS * MESSAGES);
    mailbox_free(&reader.mailbox);
    loop_free(&reader.loop);
}

/* A message that goes round: posted again by who opens it. */
static struct message round_message;
static unsigned rounds;
static struct mailbox *round_box;
static struct loop *round_loop;

static void post_again(struct message *message, void *arg)
{
    (void)arg;
    assert_ptr_equal(message, &round_message);
    if (++rounds == 100)
        loop_stop(round_loop);
    else
        mailbox_post(round_box, message);
}

TEST(a_message_may_be_posted_again_while_it_is_opened)
{
    round_loop = new_loop();
    round_box = mailbox_new(round_loop, post_again, NULL);
    assert_non_null(round_box);
    mailbox_post(round_box, &round_message);
    run(round_loop, "a hundred rounds");
    assert_int_equal(rounds, 100);
    mailbox_free(&round_box);
    loop_free(&round_loop);
}
