/* SPDX-License-Identifier: MIT
 *
 * What must never happen. CHECK stays on in release builds: a relay that has lost its bearings must
 * stop before it sends a wrong byte. What a peer, a disk or an operator can cause is never CHECKed;
 * it is an expected error, returned through a bool that the caller has to look at (MUST_CHECK).
 */
#ifndef RELAY_BASE_CHECK_H
#define RELAY_BASE_CHECK_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Where a failed check is told besides stderr; NULL: nowhere. Called once, on the thread that failed. */
typedef void check_witness_fn(const char *last_words);
void check_set_witness(check_witness_fn *witness);

/* Ends the process with file, line and the condition on stderr. Any thread. */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *what);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(__FILE__, __LINE__, __func__, #condition);                                \
    } while (0)

#define UNREACHABLE(why) check_failed(__FILE__, __LINE__, __func__, why)

#endif
