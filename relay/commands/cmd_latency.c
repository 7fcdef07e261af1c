/* SPDX-License-Identifier: MIT
 *
 * LATENCY: the histograms of how long commands took. A relay records no latency events.
 */
#include "command_stats.h"
#include "handlers.h"
#include "relay/resp/writer.h"
#include "request.h"

/* The histograms that are asked for, written aside: how many there are must be said before the first. */
struct histogram_list {
    const struct command_stats *stats;
    struct writer aside;
    size_t count;
};

/* Each bucket has the calls of all buckets before it, too. As in redis-server a bucket that adds none is left out. */
static void write_histogram(struct writer *writer, const char *name,
                            const struct latency_histogram *histogram)
{
    size_t buckets = 0;
    uint64_t calls = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        buckets += histogram->bucket[i] > 0;
    write_bulk_string(writer, name);
    write_map(writer, 2);
    write_bulk_string(writer, "calls");
    write_integer(writer, (int64_t)histogram->calls);
    write_bulk_string(writer, "histogram_usec");
    write_map(writer, buckets);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        calls += histogram->bucket[i];
        if (histogram->bucket[i] == 0)
            continue;
        write_integer(writer, (int64_t)latency_bucket_limit_us(i));
        write_integer(writer, (int64_t)calls);
    }
}

static void list_histogram(const struct command_row *row, void *arg)
{
    struct histogram_list *list = arg;
    const struct latency_histogram *histogram = command_stats_find(list->stats, row)->latency;
    if (histogram == NULL)
        return;
    write_histogram(&list->aside, row->name, histogram);
    list->count++;
}

/* A container stands for its subcommands, too. A name that no command has is left out, as in redis-server. */
static void list_histograms_of(struct histogram_list *list, struct bytes name)
{
    const struct command_row *row = command_find_path(list->stats->table, name);
    if (row == NULL)
        return;
    list_histogram(row, list);
    for (size_t i = 0; row->children != NULL && i < row->children->count; i++)
        list_histogram(&row->children->rows[i], list);
}

void on_latency_histogram(struct request *request)
{
    struct text histograms;
    struct histogram_list list = {
        .stats = &request->commands->stats,
        .aside = {.out = &histograms, .protocol = request->writer->protocol}};
    text_init(&histograms, 1024 * 1024);
    if (argument_count(request) == 2)
        command_each(list.stats->table, list_histogram, &list);
    for (size_t i = 2; i < argument_count(request); i++)
        list_histograms_of(&list, argument(request, i));
    if (histograms.failed) {
        write_error(request->writer, "ERR the reply is too long: name the commands");
    } else {
        write_map(request->writer, list.count);
        text_append(request->writer->out, text_bytes(&histograms));
    }
    text_fini(&histograms);
}

void on_latency_reset(struct request *request)
{
    write_integer(request->writer, 0);
}

void on_latency_doctor(struct request *request)
{
    write_verbatim(request->writer,
                   bytes_of("psync-relay records no latency events. LATENCY HISTOGRAM shows how "
                            "long commands took.\n"));
}
