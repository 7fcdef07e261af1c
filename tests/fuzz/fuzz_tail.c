/* SPDX-License-Identifier: MIT
 *
 * The page `tail` with anything in it. The first byte's bits say which of the four marks get the sum
 * that they should have, and whether the page is of this boot. What is read is sorted and in itself
 * right, and a new mark can be set and forgotten.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../relay/store/tail.h"
#include "relay/base/crc64.h"

enum { PAGE = 4096, MAGIC = 16, BOOT_ID = 40, MARK = (int)sizeof(struct tail_mark) };

static int directory = -1;

static void remove_directory(void)
{
    (void)unlinkat(directory, "tail", 0);
    char path[64];
    ssize_t length;
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
    length = readlink(link, path, sizeof(path) - 1);
    if (length > 0) {
        path[length] = '\0';
        (void)rmdir(path);
    }
}

static void make_directory(void)
{
    char path[] = "/dev/shm/psync-relay-tail.XXXXXX";
    CHECK(mkdtemp(path) != NULL);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(directory != -1);
    CHECK(atexit(remove_directory) == 0);
}

static void write_page(struct bytes input, unsigned choice)
{
    uint8_t page[PAGE] = "psync-relay tai1";
    size_t length = input.length < PAGE - MAGIC ? input.length : PAGE - MAGIC;
    if (length > 0)
        memcpy(page + MAGIC, input.data, length);
    for (int i = 0; i < TAIL_MARKS_MAX; i++) {
        uint8_t *mark = page + MAGIC + BOOT_ID + i * MARK;
        uint64_t sum = crc64(0, mark, offsetof(struct tail_mark, sum));
        if ((choice >> i & 1) != 0)
            memcpy(mark + offsetof(struct tail_mark, sum), &sum, sizeof(sum));
    }
    if ((choice & 16) != 0) {
        int boot = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        CHECK(boot != -1 && read(boot, page + MAGIC, 36) == 36);
        memset(page + MAGIC + 36, 0, 4);
        close(boot);
    }
    int file = openat(directory, "tail", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file != -1);
    size_t cut = (choice & 32) != 0 ? MAGIC + length : PAGE;
    CHECK(write(file, page, cut) == (ssize_t)cut);
    close(file);
}

static size_t check_marks(const struct tail *tail, struct tail_mark marks[TAIL_MARKS_MAX])
{
    size_t count = tail_read(tail, marks);
    CHECK(count <= TAIL_MARKS_MAX);
    for (size_t i = 0; i < count; i++) {
        CHECK(marks[i].sequence > 0);
        CHECK(marks[i].segment_first <= marks[i].end && marks[i].boundary <= marks[i].end);
        CHECK(i == 0 || marks[i - 1].end >= marks[i].end);
    }
    return count;
}

static void use(struct tail *tail)
{
    struct tail_mark marks[TAIL_MARKS_MAX];
    static const struct tail_mark fresh = {.segment_first = 10, .end = 30, .boundary = 20};
    size_t count = check_marks(tail, marks);
    if (count > 0)
        CHECK(tail_forget_live(tail, marks[0].end > 0 ? marks[0].end - 1 : 0));
    CHECK(tail_forget_durable(tail, marks[0].end > 0 ? marks[0].end - 1 : 0));
    CHECK(check_marks(tail, marks) < (count > 0 ? count : 1) || marks[0].end == 0);
    CHECK(tail_forget_live(tail, 0));
    CHECK(tail_forget_durable(tail, 0));
    CHECK(tail_set_live(tail, fresh));
    CHECK(tail_set_durable(tail, fresh));
    bool was_read = false;
    count = check_marks(tail, marks);
    for (size_t i = 0; i < count; i++)
        was_read = was_read || (marks[i].end == 30 && marks[i].boundary == 20);
    CHECK(was_read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text why;
    struct tail_mark marks[TAIL_MARKS_MAX];
    if (directory == -1)
        make_directory();
    text_init(&why, 500);
    write_page(bytes_skip(bytes_at(data, size), size > 0 ? 1 : 0), size > 0 ? data[0] : 0);
    struct tail *tail = tail_look(directory, &why);
    if (tail != NULL)
        (void)check_marks(tail, marks);
    tail_close(&tail);
    tail = tail_open(directory, &why);
    CHECK(tail != NULL);
    use(tail);
    tail_close(&tail);
    text_fini(&why);
    return 0;
}
