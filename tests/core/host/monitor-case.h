/* monitor-case.h - tables of what a monitor says, and what the client makes of it */
#pragma once

#include "fake-monitor.h"
#include "host/monitor/monitor.h"

#define ADDRESS "127.0.0.1:3737"
#define NAME "takeover-1"
#define ENOUGH_MS 20000u
#define SHORT_MS 300u

/* When it is connected to. */
typedef struct {
  const char *name;
  FakeFunc play;
  int code; /* SpProblemCode */
} Greeting;

/* When it is given a verb. */
typedef struct {
  const char *name;
  FakeFunc play;
  SpMonitorVerb verb;
  const char *argument;
  guint timeout_ms;
  int code;            /* SpProblemCode; -1: it works */
  const char *message; /* stands in it */
} Answer;

/* A test for each row, at @path and its name. */
void add_greetings (const char *path, const Greeting *rows, gsize n);
void add_answers (const char *path, const Answer *rows, gsize n);
