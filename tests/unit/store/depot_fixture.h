/* SPDX-License-Identifier: MIT
 *
 * The depot of a test program, and its fixture: `depot` has a place and options, and its store is not open yet.
 */
#ifndef TESTS_UNIT_STORE_DEPOT_FIXTURE_H
#define TESTS_UNIT_STORE_DEPOT_FIXTURE_H

#include "depot.h"

static struct depot depot;

static inline int depot_set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    return 0;
}

static inline int depot_tear_down(void **state)
{
    (void)state;
    depot_fini(&depot);
    return 0;
}

#endif
