/* SPDX-License-Identifier: MIT
 *
 * A long link between two network namespaces, for kernels without netem: a tun device at each end, and in between this
 * program, which delays each packet, loses some, and may limit the rate. TCP sees packets, so its congestion control,
 * retransmissions and windows are those of a real link.
 *
 *     long_link DEVICE FAR-PID DELAY-US LOSS-PPM RATE QUEUE      says "ready" when both devices are there
 *
 * DEVICE is made in this namespace and in that of FAR-PID; addresses are the caller's matter. DELAY-US is for one
 * direction, LOSS-PPM of a million packets are lost in each. RATE in bytes a second for each direction, with a queue of
 * QUEUE bytes before it; 0: something else limits (tbf on the devices). Ends when stdin is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 2048, SLOTS = 16384, READ_TURN = 64 };

#define SECOND_NS UINT64_C(1000000000)

struct packet {
    uint64_t due_ns;
    size_t length;
    uint8_t bytes[PACKET_MAX];
};

/* One direction. Its thread alone touches it. */
struct direction {
    int from;
    int to;
    struct packet *ring;
    uint64_t head;    /* the next one that is due */
    uint64_t tail;    /* the next free slot */
    uint64_t free_ns; /* when the last packet has left the limited link */
    uint64_t random;
};

static struct {
    uint64_t delay_ns;
    uint64_t loss_ppm;
    uint64_t rate; /* bytes a second; 0: no limit here */
    uint64_t queue_bytes;
} settings;

static void die(const char *what)
{
    fprintf(stderr, "long_link: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static int open_device(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1 || ioctl(fd, TUNSETIFF, &request) == -1)
        die("/dev/net/tun");
    return fd;
}

static void enter_network_of(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || setns(fd, CLONE_NEWNET) == -1)
        die(path);
    close(fd);
}

/* xorshift64. */
static bool is_lost(struct direction *direction)
{
    uint64_t x = direction->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    direction->random = x;
    return x % 1000000 < settings.loss_ppm;
}

/* When the packet has left the limited link. False: the queue before it is full. */
static bool pass_limit(struct direction *direction, uint64_t now, size_t length, uint64_t *left_ns)
{
    *left_ns = now;
    if (settings.rate == 0)
        return true;
    uint64_t begin = direction->free_ns > now ? direction->free_ns : now;
    if ((begin - now) * settings.rate / SECOND_NS > settings.queue_bytes)
        return false;
    *left_ns = begin + length * SECOND_NS / settings.rate;
    direction->free_ns = *left_ns;
    return true;
}

static void take_packets(struct direction *direction)
{
    for (int i = 0; i < READ_TURN; i++) {
        struct packet *packet = &direction->ring[direction->tail % SLOTS];
        bool has_room = direction->tail - direction->head < SLOTS;
        uint8_t scratch[PACKET_MAX];
        ssize_t got = read(direction->from, has_room ? packet->bytes : scratch, PACKET_MAX);
        if (got <= 0)
            return;
        uint64_t left_ns;
        if (!has_room || is_lost(direction) ||
            !pass_limit(direction, now_ns(), (size_t)got, &left_ns))
            continue;
        packet->length = (size_t)got;
        packet->due_ns = left_ns + settings.delay_ns;
        direction->tail++;
    }
}

/* A device that is down takes nothing: the packet is lost, as on a link that is cut. */
static void pass_packets_on(struct direction *direction)
{
    uint64_t now = now_ns();
    while (direction->head != direction->tail) {
        const struct packet *packet = &direction->ring[direction->head % SLOTS];
        if (packet->due_ns > now)
            return;
        if (write(direction->to, packet->bytes, packet->length) == -1 && errno == EAGAIN)
            return;
        direction->head++;
    }
}

/* How long to wait for another packet. NULL: until there is one. */
static const struct timespec *wait_of(const struct direction *direction, struct timespec *wait)
{
    if (direction->head == direction->tail)
        return NULL;
    uint64_t due = direction->ring[direction->head % SLOTS].due_ns;
    uint64_t now = now_ns();
    uint64_t left = due > now ? due - now : 0;
    *wait = (struct timespec){.tv_sec = (time_t)(left / SECOND_NS),
                              .tv_nsec = (long)(left % SECOND_NS)};
    return wait;
}

static void *forward(void *argument)
{
    struct direction *direction = argument;
    (void)prctl(PR_SET_TIMERSLACK, 1L);
    for (;;) {
        struct pollfd polled = {.fd = direction->from, .events = POLLIN};
        struct timespec wait;
        if (ppoll(&polled, 1, wait_of(direction, &wait), NULL) == -1 && errno != EINTR)
            die("ppoll");
        take_packets(direction);
        pass_packets_on(direction);
    }
    return NULL;
}

static void start_direction(int from, int to, uint64_t seed)
{
    struct direction *direction = calloc(1, sizeof *direction);
    if (direction == NULL)
        die("memory");
    *direction = (struct direction){.from = from, .to = to, .random = seed};
    direction->ring = calloc(SLOTS, sizeof direction->ring[0]);
    pthread_t thread;
    if (direction->ring == NULL || (errno = pthread_create(&thread, NULL, forward, direction)) != 0)
        die("a thread");
}

static uint64_t number_of(const char *word)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(word, &end, 10);
    if (errno != 0 || *word < '0' || *word > '9' || *end != '\0') {
        errno = EINVAL;
        die(word);
    }
    return number;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        errno = EINVAL;
        die("usage: long_link DEVICE FAR-PID DELAY-US LOSS-PPM RATE QUEUE");
    }
    settings.delay_ns = number_of(argv[3]) * 1000;
    settings.loss_ppm = number_of(argv[4]);
    settings.rate = number_of(argv[5]);
    settings.queue_bytes = number_of(argv[6]);
    int near = open_device(argv[1]);
    enter_network_of(argv[2]);
    int far = open_device(argv[1]);
    start_direction(near, far, 88172645463325252U);
    start_direction(far, near, 1181783497276652981U);
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return EXIT_SUCCESS;
}
