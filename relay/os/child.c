/* SPDX-License-Identifier: MIT */
#include "relay/os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/clock.h"

enum {
    LOOK_MS = 100, /* a child may close its output and go on */
    PIECE_BYTES = 4096,
    ACCOUNT_BYTES = 4096,
    VARIABLE_MAX = 1024,
    VARIABLES = 4,
};

/* ------------------------------------------------------------------ its environment */

struct environment {
    char text[VARIABLES][VARIABLE_MAX];
    char *variables[VARIABLES + 1];
};

static void environment_add(struct environment *environment, size_t at, const char *name,
                            const char *value)
{
    snprintf(environment->text[at], VARIABLE_MAX, "%s=%s", name, value);
    environment->variables[at] = environment->text[at];
}

/* What a command may need to find its programs and its own settings, and nothing that was meant for us. */
static void environment_make(struct environment *environment)
{
    struct passwd account;
    struct passwd *found = NULL;
    char buffer[ACCOUNT_BYTES];
    bool is_known =
        getpwuid_r(geteuid(), &account, buffer, sizeof(buffer), &found) == 0 && found != NULL;
    const char *user = is_known ? account.pw_name : "";
    environment_add(environment, 0, "PATH",
                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    environment_add(environment, 1, "HOME", is_known ? account.pw_dir : "/");
    environment_add(environment, 2, "USER", user);
    environment_add(environment, 3, "LOGNAME", user);
    environment->variables[VARIABLES] = NULL;
}

/* ------------------------------------------------------------------ its start */

static int set_descriptors(posix_spawn_file_actions_t *actions, int output, bool is_of_terminal)
{
    int number = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (number == 0)
        number = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (number == 0 && !is_of_terminal)
        number = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
#ifdef __GLIBC__
    /* All of ours are closed by exec; this is for those of libraries. */
    if (number == 0)
        number = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#endif
    return number;
}

static int set_attributes(posix_spawnattr_t *attributes, bool is_of_terminal)
{
    sigset_t none;
    sigset_t all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigfillset(&all);
    if (!is_of_terminal)
        flags |= POSIX_SPAWN_SETPGROUP;
    int number = posix_spawnattr_setsigmask(attributes, &none);
    if (number == 0)
        number = posix_spawnattr_setsigdefault(attributes, &all);
    if (number == 0)
        number = posix_spawnattr_setpgroup(attributes, 0);
    return number == 0 ? posix_spawnattr_setflags(attributes, flags) : number;
}

/* 0, or the error. */
static int child_spawn(const struct child_request *request, int output, pid_t *child)
{
    struct environment environment;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int number = posix_spawn_file_actions_init(&actions);
    if (number != 0)
        return number;
    number = posix_spawnattr_init(&attributes);
    if (number != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return number;
    }
    environment_make(&environment);
    number = set_descriptors(&actions, output, request->is_of_terminal);
    if (number == 0)
        number = set_attributes(&attributes, request->is_of_terminal);
    if (number == 0)
        number = posix_spawnp(child, request->argv[0], &actions, &attributes, request->argv,
                              request->is_of_terminal ? environ : environment.variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* ------------------------------------------------------------------ until its end */

struct child {
    const struct child_request *request;
    pid_t id;
    int output;         /* that we read; -1: at its end */
    int64_t until_ms;   /* 0: no limit */
    int64_t kill_at_ms; /* 0: it was not told to end */
    enum child_end cause;
};

/* False: there is no more for now. */
static bool read_output(struct child *child)
{
    char piece[PIECE_BYTES];
    ssize_t got = read(child->output, piece, sizeof(piece));
    if (got > 0) {
        struct text *into = child->request->output;
        size_t room = into->limit - into->length;
        text_append(into, bytes_at(piece, (size_t)got < room ? (size_t)got : room));
        return true;
    }
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    close(child->output);
    child->output = -1;
    return false;
}

/* SIGTERM first, then SIGKILL, to all that it has started. */
static void child_end_it(struct child *child, enum child_end cause)
{
    pid_t whom = child->request->is_of_terminal ? child->id : -child->id;
    if (child->kill_at_ms == 0) {
        child->cause = cause;
        child->kill_at_ms = clock_ms() + CHILD_GRACE_MS;
        (void)kill(whom, SIGTERM);
    } else if (clock_ms() >= child->kill_at_ms) {
        (void)kill(whom, SIGKILL);
    }
}

static void child_look(struct child *child, bool is_stopped)
{
    if (child->kill_at_ms != 0)
        child_end_it(child, child->cause);
    else if (is_stopped)
        child_end_it(child, CHILD_STOPPED);
    else if (child->until_ms != 0 && clock_ms() >= child->until_ms)
        child_end_it(child, CHILD_TIMED_OUT);
}

/* What it has written before its end is read; what others go on writing, whom it has left behind, is not. */
static int child_wait(struct child *child)
{
    int status = 0;
    while (waitpid(child->id, &status, WNOHANG) != child->id) {
        int stop = child->kill_at_ms == 0 ? child->request->stop : -1;
        struct pollfd wanted[] = {{.fd = child->output, .events = POLLIN},
                                  {.fd = stop, .events = POLLIN}};
        (void)poll(wanted, LENGTH_OF(wanted), LOOK_MS);
        child_look(child, stop != -1 && wanted[1].revents != 0);
        if (child->output != -1 && wanted[0].revents != 0)
            (void)read_output(child);
    }
    while (child->output != -1 && read_output(child))
        ;
    if (child->output != -1)
        close(child->output);
    return status;
}

static void child_tell_end(const struct child *child, int status, struct child_outcome *outcome)
{
    if (child->kill_at_ms != 0) {
        outcome->end = child->cause;
    } else if (WIFEXITED(status)) {
        outcome->end = CHILD_EXITED;
        outcome->status = WEXITSTATUS(status);
    } else {
        outcome->end = CHILD_SIGNALED;
        outcome->status = WTERMSIG(status);
    }
}

void child_run(const struct child_request *request, struct child_outcome *outcome)
{
    int ends[2];
    *outcome = (struct child_outcome){.end = CHILD_NOT_STARTED};
    if (pipe2(ends, O_CLOEXEC) == -1) {
        (void)error_set_system(&outcome->error, errno, "cannot make a pipe");
        return;
    }
    struct child child = {.request = request, .output = ends[0]};
    int number = child_spawn(request, ends[1], &child.id);
    close(ends[1]);
    if (number != 0) {
        (void)error_set_system(&outcome->error, number, "cannot run %.200s", request->argv[0]);
        close(ends[0]);
        return;
    }
    (void)fcntl(child.output, F_SETFL, O_NONBLOCK);
    if (request->limit_ms > 0)
        child.until_ms = clock_ms() + request->limit_ms;
    child_tell_end(&child, child_wait(&child), outcome);
}

bool child_is_good(const struct child_outcome *outcome, struct error *error)
{
    switch (outcome->end) {
    case CHILD_EXITED:
        return outcome->status == 0 ||
               error_set(error, ERROR_SYSTEM, "exit status %d", outcome->status);
    case CHILD_SIGNALED:
        return error_set(error, ERROR_SYSTEM, "ended by signal %d", outcome->status);
    case CHILD_TIMED_OUT:
        return error_set(error, ERROR_SYSTEM, "it took too long and was ended");
    case CHILD_STOPPED:
        return error_set(error, ERROR_CANCELED, "it was ended, because the relay stops");
    case CHILD_NOT_STARTED:
        *error = outcome->error;
        return false;
    }
    UNREACHABLE("no such end");
}
