/* SPDX-License-Identifier: MIT
 *
 * The service manager is a datagram socket of the test's own, in the abstract namespace. */
#include "relay/os/service.h"

#include <errno.h>
#include <unistd.h>

#include "fake_clock.h"
#include "relay/base/log.h"
#include "test.h"

static char name[64];

/* What a manager's socket is called differs from test to test, and from process to process. */
static int open_manager(char kind)
{
    static unsigned count;
    snprintf(name, sizeof(name), "%cnotify-%ld-%u", kind, (long)getpid(), count++);
    if (kind == '/')
        snprintf(name, sizeof(name), "/tmp/notify-%ld-%u", (long)getpid(), count++);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (kind == '@')
        address.sun_path[0] = '\0';
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_not_equal(manager, -1);
    socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, address_length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return manager;
}

static void assert_heard(int manager, const char *expected)
{
    char heard[1024];
    ssize_t length = recv(manager, heard, sizeof(heard) - 1, 0);
    if (length == -1)
        fail_msg("expected \"%s\", nothing came: %s", expected, strerror(errno));
    heard[length] = '\0';
    assert_string_equal(heard, expected);
}

static void assert_silence(int manager)
{
    char heard[1024];
    assert_int_equal(recv(manager, heard, sizeof(heard), 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static int forget_the_environment(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

#define NOTIFY_TEST(name) TEST_SETUP(name, forget_the_environment, NULL)

NOTIFY_TEST(a_life_is_told_word_by_word)
{
    struct service service;
    int manager = open_manager('@');
    service_open(&service);
    assert_silence(manager);
    service_say(&service, SERVICE_READY);
    assert_heard(manager, "READY=1\n");

    char reload[100];
    fake_clock_advance(1);
    service_say(&service, SERVICE_RELOADING);
    snprintf(reload, sizeof(reload), "RELOADING=1\nMONOTONIC_USEC=%d000\n", 1000001);
    assert_heard(manager, reload);
    service_say(&service, SERVICE_READY);
    assert_heard(manager, "READY=1\n");
    service_say(&service, SERVICE_STOPPING);
    assert_heard(manager, "STOPPING=1\n");
    assert_silence(manager);
    service_close(&service);
    close(manager);
}

NOTIFY_TEST(a_path_is_a_name_too)
{
    struct service service;
    int manager = open_manager('/');
    service_open(&service);
    service_say(&service, SERVICE_READY);
    assert_heard(manager, "READY=1\n");
    service_close(&service);
    assert_int_equal(unlink(name), 0);
    close(manager);
}

NOTIFY_TEST(a_status_is_told_when_it_is_another)
{
    struct service service;
    int manager = open_manager('@');
    service_open(&service);
    service_tick(&service, "connecting");
    assert_heard(manager, "STATUS=connecting\n");
    service_tick(&service, "connecting");
    assert_silence(manager);
    service_tick(&service, "streaming");
    assert_heard(manager, "STATUS=streaming\n");
    service_close(&service);
    close(manager);
}

NOTIFY_TEST(what_a_peer_has_said_is_no_line_of_the_protocol)
{
    struct service service;
    int manager = open_manager('@');
    service_open(&service);
    service_tick(&service, "-ERR\nSTOPPING=1\r\xff");
    assert_heard(manager, "STATUS=-ERR?STOPPING=1??\n");

    char endless[5 * SERVICE_STATUS_MAX];
    memset(endless, 'a', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    service_tick(&service, endless);
    char heard[1024];
    assert_int_equal(recv(manager, heard, sizeof(heard), 0),
                     strlen("STATUS=\n") + SERVICE_STATUS_MAX - 1);
    service_close(&service);
    close(manager);
}

NOTIFY_TEST(each_tick_is_a_sign_of_life_for_who_is_watched)
{
    char own[32];
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    static const struct {
        const char *interval;
        bool is_own;
        const char *whom;
        bool is_watched;
    } cases[] = {
        {"30000000", true, NULL, true},   {"30000000", false, NULL, true},
        {"30000000", false, "1", false},  {"30000000", false, "", false},
        {"30000000", false, "1x", false}, {"0", false, NULL, false},
        {"", false, NULL, false},         {"-1", false, NULL, false},
        {"30s", false, NULL, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct service service;
        int manager = open_manager('@');
        setenv("WATCHDOG_USEC", cases[i].interval, 1);
        unsetenv("WATCHDOG_PID");
        if (cases[i].is_own || cases[i].whom != NULL)
            setenv("WATCHDOG_PID", cases[i].is_own ? own : cases[i].whom, 1);
        service_open(&service);
        service_tick(&service, "");
        if (cases[i].is_watched)
            assert_heard(manager, "WATCHDOG=1\n");
        assert_silence(manager);
        service_close(&service);
        close(manager);
    }
}

/* Ticks fill the manager's queue; what is said then comes when there is room. */
NOTIFY_TEST(a_word_that_finds_no_space_is_said_again)
{
    struct service service;
    int manager = open_manager('@');
    setenv("WATCHDOG_USEC", "30000000", 1);
    service_open(&service);
    unsigned filled = 0;
    for (; !service.is_word_owed && filled < 100000; filled++)
        service_say(&service, SERVICE_READY);
    assert_true(service.is_word_owed);
    service_say(&service, SERVICE_STOPPING);
    service_tick(&service, "");
    assert_true(service.is_word_owed);

    for (unsigned i = 1; i < filled; i++)
        assert_heard(manager, "READY=1\n");
    assert_silence(manager);
    service_tick(&service, "");
    assert_heard(manager, "STOPPING=1\n");
    assert_heard(manager, "WATCHDOG=1\n");
    service_tick(&service, "");
    assert_heard(manager, "WATCHDOG=1\n");
    assert_silence(manager);
    service_close(&service);
    close(manager);
}

NOTIFY_TEST(without_a_manager_nothing_is_sent)
{
    char endless[200];
    memset(endless, 'a', sizeof(endless));
    endless[0] = '/';
    endless[sizeof(endless) - 1] = '\0';
    const char *const names[] = {NULL, "", "/", "@", "vsock:2:1", "relative", endless};
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct service service;
        if (names[i] != NULL)
            setenv("NOTIFY_SOCKET", names[i], 1);
        service_open(&service);
        assert_int_equal(service.socket, -1);
        service_say(&service, SERVICE_READY);
        service_tick(&service, "well");
        assert_false(service.is_word_owed);
        service_close(&service);
    }
    log_set_level(LOG_LEVEL_INFO);
}

NOTIFY_TEST(a_manager_that_is_gone_is_no_obstacle)
{
    struct service service;
    close(open_manager('@'));
    service_open(&service);
    service_say(&service, SERVICE_READY);
    assert_false(service.is_word_owed);
    service_tick(&service, "well");
    service_close(&service);
}
