/* SPDX-License-Identifier: MIT */
#include "relay/base/check.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LAST_WORDS_MAX = 1024 };

static _Atomic(check_witness_fn *) current_witness;

void check_set_witness(check_witness_fn *witness)
{
    atomic_store(&current_witness, witness);
}

_Noreturn void check_failed(const char *file, int line, const char *function, const char *what)
{
    char words[LAST_WORDS_MAX];
    snprintf(words, sizeof(words), "%s:%d: %s: CHECK failed: %s", file, line, function, what);
    dprintf(STDERR_FILENO, "%s\n", words);
    /* Taken, so that a witness that fails itself is not called again. */
    check_witness_fn *witness = atomic_exchange(&current_witness, NULL);
    if (witness != NULL)
        witness(words);
    abort();
}
