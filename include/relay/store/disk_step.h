/* SPDX-License-Identifier: MIT
 *
 * How far a step has come that the store's threads make, and thread 0 waits for in memory: it asks again, by the same
 * call, when whoever was given to store_on_durable is told, or after a while.
 */
#ifndef RELAY_STORE_DISK_STEP_H
#define RELAY_STORE_DISK_STEP_H

enum disk_step {
    DISK_STEP_DONE,
    DISK_STEP_PENDING,
    DISK_STEP_FAILED,
};

#endif
