/* test-ports-private.h - between the two halves of the ports */
#pragma once

#include "test-ports.h"

typedef struct {
  void (*run) (TestPorts *ports, gpointer data);
  gpointer data;
  gboolean is_write;
} TestJob;

/* @run is called later, in order. */
void test_ports_queue (TestPorts *ports, void (*run) (TestPorts *, gpointer), gpointer data,
                       gboolean is_write);

GPtrArray *test_notices_new (void);
void test_ports_post (gpointer port, const char *notifier, const SpNotice *notice,
                      SpPluginDone done, gpointer data);
void test_ports_settle (gpointer port, const char *notifier, const SpNotice *notice,
                        const SpOutcome *outcome, SpPluginDone done, gpointer data);
gboolean test_ports_usable (gpointer port, const char *notifier);
