/* SPDX-License-Identifier: MIT
 *
 * A directory of its own for each test of settings, with an ini, a secret in a file, and a place for data:
 * open_place and close_place are a test's set-up and tear-down.
 */
#ifndef TESTS_UNIT_CONFIG_INI_PLACE_H
#define TESTS_UNIT_CONFIG_INI_PLACE_H

#include "test.h"

#include <unistd.h>

#include "relay/config/config.h"

#define PRIMARY "[upstream]\nreplicaof = 10.0.0.1 6379\n"

struct place {
    char directory[64];
    char ini[96];
    char secret[96];
    const char *override; /* config_load's: it lives as long as the config */
    struct config config;
    struct text errors;
};

static inline int open_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    CHECK(place != NULL);
    snprintf(place->directory, sizeof(place->directory), "/tmp/psync-relay-config-XXXXXX");
    CHECK(mkdtemp(place->directory) != NULL);
    snprintf(place->ini, sizeof(place->ini), "%s/relay.ini", place->directory);
    snprintf(place->secret, sizeof(place->secret), "%s/secret", place->directory);
    text_init(&place->errors, 64 * 1024);
    *state = place;
    return 0;
}

static inline int close_place(void **state)
{
    struct place *place = *state;
    unlink(place->ini);
    unlink(place->secret);
    rmdir(place->directory);
    text_fini(&place->errors);
    free(place);
    return 0;
}

static inline void write_file(const char *path, struct bytes content)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    CHECK(fwrite(content.data, 1, content.length, file) == content.length);
    CHECK(fclose(file) == 0);
}

/* Loads an ini and at most one override (NULL: none). */
static inline bool load_bytes(struct place *place, struct bytes ini, const char *override)
{
    write_file(place->ini, ini);
    text_clear(&place->errors);
    place->override = override;
    return config_load(&place->config, place->ini, &place->override, override != NULL,
                       &place->errors);
}

static inline bool load(struct place *place, const char *ini, const char *override)
{
    return load_bytes(place, bytes_of(ini), override);
}

#endif
