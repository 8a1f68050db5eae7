/* options.h - options that are the same whatever runs QEMU: rows for a plugin's table, in the order of its page */
#pragma once

#include <secret-proxy/vm.h>

/* clang-format off */
#define SP_QEMU_OPTIONS_OF_SIZE                                                 \
  { .key = "memory",                                                            \
    .type = SP_OPTION_SIZE,                                                     \
    .fallback = "128M",                                                         \
    .min = 96 * 1024 * 1024,                                                    \
    .max = G_GINT64_CONSTANT (1) << 40,                                         \
    .help = "of the machine; whole MiB" },                                      \
  { .key = "cpus",                                                              \
    .type = SP_OPTION_INT,                                                      \
    .fallback = "1",                                                            \
    .min = 1,                                                                   \
    .max = 64,                                                                  \
    .help = "of the machine" }

#define SP_QEMU_OPTIONS_OF_GUEST                                                \
  { .key = "dns",                                                               \
    .type = SP_OPTION_STRING,                                                   \
    .help = "numeric; where absent, with network = user: QEMU's own" },         \
  { .key = "disk-size",                                                         \
    .type = SP_OPTION_SIZE,                                                     \
    .fallback = "256M",                                                         \
    .min = 16 * 1024 * 1024,                                                    \
    .max = G_GINT64_CONSTANT (1) << 40,                                         \
    .help = "of the data volume; raised later, it grows at the next start" },   \
  { .key = "host-loopback",                                                     \
    .type = SP_OPTION_INT,                                                      \
    .flags = SP_OPTION_LIST,                                                    \
    .min = 1,                                                                   \
    .max = 65535,                                                               \
    .help = "with network = user: ports of the host's loopback that the guest " \
            "may reach, as 10.0.2.2" }
/* clang-format on */
