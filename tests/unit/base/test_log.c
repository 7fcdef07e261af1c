/* SPDX-License-Identifier: MIT */
#include "relay/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../relay/base/log_line.h"
#include "test.h"

static char folder[] = "/tmp/test_log.XXXXXX";
static char path[64];
static char content[1 << 20];

static void open_log(void)
{
    struct text error;
    text_init(&error, 1000);
    assert_true(log_open(path, &error));
    assert_string_equal(text_string(&error), "");
    text_fini(&error);
}

/* What the log holds by now; the log is emptied. */
static const char *taken(void)
{
    int file = open(path, O_RDWR);
    assert_true(file != -1);
    ssize_t length = read(file, content, sizeof(content) - 1);
    assert_true(length >= 0);
    content[length] = '\0';
    assert_int_equal(ftruncate(file, 0), 0);
    close(file);
    return content;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&compiled, text, 0, NULL, 0) != 0)
        fail_msg("got \"%s\", expected a match of \"%s\"", text, pattern);
    regfree(&compiled);
}

#define TIME "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z "

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/log", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

TEST(a_line_has_time_level_and_message)
{
    open_log();
    log_info("upstream: link state=%s", "up");
    assert_matches(taken(), TIME "info    upstream: link state=up\n$");
    log_warnx("a: b");
    assert_matches(taken(), TIME "warning a: b\n$");
    log_errorx("a: b");
    assert_matches(taken(), TIME "error   a: b\n$");
    log_at(LOG_LEVEL_WARNING, "a: %d", 7);
    assert_matches(taken(), TIME "warning a: 7\n$");
}

TEST(errno_is_appended_and_left_alone)
{
    open_log();
    errno = ENOSPC;
    log_warn("store: cannot write");
    assert_int_equal(errno, ENOSPC);
    assert_matches(taken(), TIME "warning store: cannot write: No space left on device\n$");
    errno = EACCES;
    log_error("store: cannot %s", "read");
    assert_matches(taken(), TIME "error   store: cannot read: Permission denied\n$");
    errno = EPIPE;
    log_info("x");
    log_warnx("x");
    assert_int_equal(errno, EPIPE);
    assert_null(strstr(taken(), "pipe"));
}

TEST(a_full_disk_loses_the_line_and_nothing_else)
{
    struct text error;
    text_init(&error, 1000);
    assert_true(log_open("/dev/full", &error));
    errno = EPIPE;
    log_warn("lost");
    assert_int_equal(errno, EPIPE);
    open_log();
    log_info("found");
    assert_matches(taken(), TIME "info    found\n$");
    text_fini(&error);
}

TEST(levels_below_the_set_one_are_silent)
{
    open_log();
    log_debug("nothing");
    assert_string_equal(taken(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("x");
    assert_matches(taken(), TIME "debug   x\n$");
    log_set_level(LOG_LEVEL_ERROR);
    log_debug("x");
    log_info("x");
    log_warnx("x");
    assert_string_equal(taken(), "");
    log_errorx("x");
    assert_matches(taken(), "error   x\n$");
    log_set_level(LOG_LEVEL_INFO);
}

TEST(a_message_cannot_forge_a_line)
{
    open_log();
    log_info("downstream: name=%s", "a\n2026-01-01 error\r\x1b[2J\x7f \xc3\xa9");
    assert_matches(taken(), TIME "info    downstream: name=a\\?2026-01-01 error\\?\\?\\[2J\\? "
                                 "\xc3\xa9\n$");
}

/* Around the limit every length: never longer, cut exactly when something is missing. */
TEST(long_lines_are_cut)
{
    static char message[2 * LOG_LINE_MAX];
    open_log();
    for (size_t length = LOG_LINE_MAX - 60; length < LOG_LINE_MAX + 60; length++) {
        memset(message, 'm', length);
        message[length] = '\0';
        log_info("%s", message);
        const char *line = taken();
        size_t size = strlen(line);
        assert_in_range(size, LOG_LINE_MAX - 60, LOG_LINE_MAX);
        assert_ptr_equal(strchr(line, '\n'), line + size - 1);
        size_t kept = strspn(strchr(line, 'm'), "m");
        assert_int_equal(strstr(line, "...\n") != NULL, kept < length);
    }
}

TEST(json_lines_are_escaped)
{
    open_log();
    log_set_format(LOG_FORMAT_JSON);
    log_warnx("config: \"%s\" \\ \n \xff", "a");
    assert_matches(taken(),
                   "^\\{\"ts\":\"[-0-9T:.]+Z\",\"level\":\"warning\",\"component\":\"config\","
                   "\"message\":\"\\\\\"a\\\\\" \\\\\\\\ \\\\u000a \\\\ufffd\"\\}\n$");
    static char message[2 * LOG_LINE_MAX];
    for (size_t i = 0; i < 10; i++) {
        memset(message, '"', sizeof(message) - 1);
        memset(message, 'x', i);
        log_info("%s", message);
        const char *line = taken();
        assert_in_range(strlen(line), LOG_LINE_MAX - 10, LOG_LINE_MAX);
        assert_matches(line, "(\\\\\")+\\.\\.\\.\"\\}\n$");
    }
    log_set_format(LOG_FORMAT_TEXT);
}

TEST(a_file_that_cannot_be_opened_leaves_the_old_one)
{
    struct text error;
    text_init(&error, 1000);
    open_log();
    assert_false(log_open("/nonexistent/log", &error));
    assert_string_equal(text_string(&error),
                        "cannot open log file '/nonexistent/log': No such file or directory");
    log_info("still here");
    assert_matches(taken(), "still here\n$");
    text_fini(&error);
}

TEST(opening_again_follows_a_rotation)
{
    char rotated[80];
    open_log();
    log_info("old");
    snprintf(rotated, sizeof(rotated), "%s.1", path);
    assert_int_equal(rename(path, rotated), 0);
    log_info("old too");
    open_log();
    log_info("new");
    assert_matches(taken(), TIME "info    new\n$");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(unlink(rotated), 0);
}

TEST(without_a_path_lines_go_to_stderr)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    struct text error;
    text_init(&error, 1000);
    bool opened = log_open(NULL, &error);
    log_info("to stderr");
    dup2(saved, STDERR_FILENO);
    assert_true(opened);
    char line[200] = {0};
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    assert_matches(line, TIME "info    to stderr\n$");
    close(saved);
    close(ends[0]);
    close(ends[1]);
    text_fini(&error);
}

enum { THREADS = 4, LINES = 300 };

static void *write_lines(void *number)
{
    for (int i = 0; i < LINES; i++)
        log_info("thread %s line %04d %s", (const char *)number, i, "a tail of some length");
    return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
    static char names[THREADS][2] = {"0", "1", "2", "3"};
    pthread_t threads[THREADS];
    open_log();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    int next[THREADS] = {0};
    taken();
    int count = 0;
    char *end;
    for (char *line = content; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        *end = '\0';
        assert_matches(line, TIME "info    thread [0-3] line [0-9]{4} a tail of some length$");
        int thread = strstr(line, "thread ")[7] - '0';
        assert_int_equal(strtol(strstr(line, "line ") + 5, NULL, 10), next[thread]++);
    }
    assert_int_equal(count, THREADS * LINES);
}

/* Not only on stderr, which nobody may have kept. */
TEST(a_failed_check_is_in_the_log_file)
{
    open_log();
    taken();
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        (void)!freopen("/dev/null", "w", stderr);
        UNREACHABLE("nobody comes here");
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_matches(taken(), TIME "error   .*test_log.c:.*CHECK failed: nobody comes here");
}

TEST_GROUP(set_up, tear_down);
