/* bench.c - how fast the running daemon is, as ratios to baselines measured in the same run
 *
 * It never judges: machines differ, and a number that must not be exceeded only teaches people to
 * ignore red tests.  What to look at are the ratios.
 */
#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define SECONDS 4.0
#define DECISIONS 100

typedef struct {
  char *bin;    /* folder of the programs */
  char *folder; /* of the vault */
  GSubprocess *local;
  guint16 port;
  guint pid;
  char *token;
} Bench;

static void
must (gboolean good, const GError *error, const char *what)
{
  if (good)
    return;
  g_printerr ("bench: %s: %s\n", what, error ? error->message : "failed");
  exit (1);
}

/* ---- the vault under test -------------------------------------------------------------------------- */

static JsonNode *
parse (const char *text)
{
  return json_from_string (text, NULL);
}

/* Run the program, with @input, and take its JSON. */
static JsonNode *
cli (Bench *bench, const char *input, ...)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *output = NULL;
  const char *word;
  va_list words;

  g_ptr_array_add (argv, g_build_filename (bench->bin, "secret-proxy", NULL));
  g_ptr_array_add (argv, g_strdup ("--json"));
  g_ptr_array_add (argv, g_strdup ("--vault"));
  g_ptr_array_add (argv, g_strconcat (bench->folder, "/vault/", NULL));
  va_start (words, input);
  while ((word = va_arg (words, const char *)) != NULL)
    g_ptr_array_add (argv, g_strdup (word));
  va_end (words);
  g_ptr_array_add (argv, NULL);
  process =
      g_subprocess_newv ((const char *const *) argv->pdata,
                         G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
  must (process != NULL, error, "secret-proxy");
  must (g_subprocess_communicate_utf8 (process, input ? input : "", NULL, &output, NULL, &error) &&
            g_subprocess_get_successful (process),
        error, output ? output : "secret-proxy");
  return parse (output);
}

static char *
read_line (GSubprocess *process)
{
  g_autoptr (GDataInputStream) in =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));

  return g_data_input_stream_read_line (in, NULL, NULL, NULL);
}

static void
start_vault (Bench *bench)
{
  static const char config[] = "[vault default]\nagent-rate = 1000000\nagent-pending = 512\n"
                               "tls = optional\n";
  g_autofree char *program = g_build_filename (bench->bin, "secret-proxy", NULL);
  g_autofree char *file = g_build_filename (bench->folder, "bench.conf", NULL);
  g_autofree char *vault = g_build_filename (bench->folder, "vault", NULL);
  g_autofree char *line = NULL;
  g_autoptr (JsonNode) ready = NULL;
  g_autoptr (JsonNode) agent = NULL;
  g_autoptr (GError) error = NULL;

  must (g_file_set_contents_full (file, config, -1, 0, 0600, &error), error, file);
  bench->local =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error,
                        program, "--config", file, "local", vault, "--port", "0", NULL);
  must (bench->local != NULL, error, program);
  line = read_line (bench->local);
  must (line != NULL, NULL, "secret-proxy local did not start");
  ready = parse (line);
  bench->port = (guint16) g_ascii_strtoull (
      strrchr (json_object_get_string_member (json_node_get_object (ready), "url"), ':') + 1, NULL,
      10);
  bench->pid = (guint) json_object_get_int_member (json_node_get_object (ready), "pid");
  json_node_unref (cli (bench, "value", "secret", "put", "db", NULL));
  agent = cli (bench, NULL, "agent", "add", "bench", NULL);
  bench->token = g_strdup (json_object_get_string_member (json_node_get_object (agent), "token"));
}

static char *
head (Bench *bench, const char *method, const char *path, const char *body)
{
  return g_strdup_printf ("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                          "%sContent-Length: %" G_GSIZE_FORMAT "\r\n\r\n%s",
                          method, path, bench->token,
                          *body ? "Content-Type: application/json\r\n" : "", strlen (body), body);
}

static char *
create_request (Bench *bench, int fd)
{
  g_autofree char *request =
      head (bench, "POST", "/v1/requests", "{\"secret\":\"db\",\"reason\":\"bench\"}");
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = sp_load_once (fd, request, &error);
  g_autoptr (JsonNode) node = NULL;

  must (answer != NULL && strstr (answer, " 201 ") != NULL, error, answer ? answer : "create");
  node = parse (strstr (answer, "\r\n\r\n") + 4);
  return g_strdup (json_object_get_string_member (json_node_get_object (node), "id"));
}

/* ---- what is measured ---------------------------------------------------------------------------------- */

static double
rate (guint16 port, guint connections, const char *request, guint status, const char *what)
{
  const SpLoad load = { port, connections, SECONDS, request, status };
  g_autoptr (GError) error = NULL;
  SpLoadResult result;

  must (sp_load_run (&load, &result, &error), error, what);
  return (double) result.answers / result.seconds;
}

static void
bench_polls (Bench *bench)
{
  int fd = sp_load_dial (bench->port);
  g_autofree char *id = create_request (bench, fd);
  g_autofree char *path = g_strconcat ("/v1/requests/", id, NULL);
  g_autofree char *request = head (bench, "GET", path, "");
  g_autofree char *program =
      g_build_filename (bench->bin, "..", "tests", "bench", "baseline-soup", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) soup =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, NULL);
  g_autofree char *line = NULL;
  guint16 port;

  (void) close (fd);
  must (soup != NULL, error, "baseline-soup");
  line = read_line (soup);
  port = (guint16) g_ascii_strtoull (line, NULL, 10);
  for (guint connections = 1; connections <= 16; connections *= 4) {
    double base = rate (port, connections, request, 200, "libsoup");
    double ours = rate (bench->port, connections, request, 200, "polls");

    g_print (
        "polls            %2u connections: %8.0f /s; bare libsoup handler %8.0f /s; ratio %.2f\n",
        connections, ours, base, ours / base);
  }
  g_subprocess_force_exit (soup);
}

/* As a store that pays one commit for each request would. */
static double
sqlite_commits (Bench *bench)
{
  g_autofree char *file = g_build_filename (bench->folder, "baseline.db", NULL);
  sqlite3 *db = NULL;
  guint64 n = 0;
  gint64 start, now;

  must (sqlite3_open (file, &db) == SQLITE_OK &&
            sqlite3_exec (db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                          "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)",
                          NULL, NULL, NULL) == SQLITE_OK,
        NULL, "sqlite");
  start = now = g_get_monotonic_time ();
  while (now - start < (gint64) (SECONDS * G_USEC_PER_SEC)) {
    must (sqlite3_exec (db, "INSERT INTO t (v) VALUES (randomblob (600))", NULL, NULL, NULL) ==
              SQLITE_OK,
          NULL, "sqlite commit");
    n++;
    now = g_get_monotonic_time ();
  }
  sqlite3_close (db);
  return (double) n / ((double) (now - start) / G_USEC_PER_SEC);
}

typedef struct {
  Bench *bench;
  gint64 until_us;
  guint64 pairs;
} Creator;

/* Ask and withdraw, so that the number of open requests stays small; both are durable. */
static gpointer
create_and_cancel (gpointer data)
{
  Creator *creator = data;
  int fd = sp_load_dial (creator->bench->port);

  while (g_get_monotonic_time () < creator->until_us) {
    g_autofree char *id = create_request (creator->bench, fd);
    g_autofree char *path = g_strconcat ("/v1/requests/", id, NULL);
    g_autofree char *cancel = head (creator->bench, "DELETE", path, "");
    g_autofree char *answer = sp_load_once (fd, cancel, NULL);

    must (answer != NULL && strstr (answer, " 200 ") != NULL, NULL, "cancel");
    creator->pairs++;
  }
  (void) close (fd);
  return NULL;
}

static void
bench_durable (Bench *bench)
{
  double base = sqlite_commits (bench);

  for (guint n = 1; n <= 64; n *= 8) {
    Creator creators[64];
    GThread *threads[64];
    gint64 start = g_get_monotonic_time ();
    guint64 pairs = 0;
    double ours;

    for (guint i = 0; i < n; i++) {
      creators[i] = (Creator){ bench, start + (gint64) (SECONDS * G_USEC_PER_SEC), 0 };
      threads[i] = g_thread_new ("create", create_and_cancel, &creators[i]);
    }
    for (guint i = 0; i < n; i++) {
      g_thread_join (threads[i]);
      pairs += creators[i].pairs;
    }
    ours = (double) pairs * 2 * G_USEC_PER_SEC / (double) (g_get_monotonic_time () - start);
    g_print (
        "durable changes  %2u at once:     %8.0f /s; one SQLite commit each %8.0f /s; ratio %.2f\n",
        n, ours, base, ours / base);
  }
}

typedef struct {
  Bench *bench;
  char *request;
  gint64 answered_us;
} Poller;

static gpointer
poll_once (gpointer data)
{
  Poller *poller = data;
  int fd = sp_load_dial (poller->bench->port);
  g_autofree char *answer = sp_load_once (fd, poller->request, NULL);

  poller->answered_us = answer && strstr (answer, "\"approved\"") ? g_get_monotonic_time () : 0;
  (void) close (fd);
  return NULL;
}

static gint
by_value (gconstpointer a, gconstpointer b)
{
  double left = *(const double *) a, right = *(const double *) b;

  return left < right ? -1 : left > right;
}

/* From "the approve verb has its answer" back: the poll must have ended by then, or just after. */
static void
bench_latency (Bench *bench)
{
  double ms[DECISIONS], verb[DECISIONS];
  int fd = sp_load_dial (bench->port);

  for (guint i = 0; i < DECISIONS; i++) {
    g_autofree char *id = create_request (bench, fd);
    g_autofree char *path = g_strconcat ("/v1/requests/", id, "?wait=20", NULL);
    Poller poller = { bench, head (bench, "GET", path, ""), 0 };
    GThread *thread = g_thread_new ("poll", poll_once, &poller);
    gint64 start = g_get_monotonic_time (), end;

    json_node_unref (cli (bench, NULL, "request", "approve", id, NULL));
    end = g_get_monotonic_time ();
    g_thread_join (thread);
    must (poller.answered_us != 0, NULL, "poll");
    verb[i] = (double) (end - start) / 1000;
    ms[i] = (double) (poller.answered_us - start) / 1000;
    g_free (poller.request);
  }
  (void) close (fd);
  qsort (ms, DECISIONS, sizeof *ms, by_value);
  qsort (verb, DECISIONS, sizeof *verb, by_value);
  g_print (
      "decision->answer (the approve verb's start to the end of the agent's long poll): median "
      "%.1f ms, p95 %.1f ms; the verb alone: median %.1f ms; ratio %.2f\n",
      ms[DECISIONS / 2], ms[DECISIONS * 95 / 100], verb[DECISIONS / 2],
      ms[DECISIONS / 2] / verb[DECISIONS / 2]);
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static guint64
number_after (const char *text, const char *name)
{
  const char *at = strstr (text, name);

  return at ? g_ascii_strtoull (at + strlen (name), NULL, 10) : 0;
}

static guint64
print_memory (guint pid, guint depth)
{
  g_autofree char *smaps_file = g_strdup_printf ("/proc/%u/smaps_rollup", pid);
  g_autofree char *status_file = g_strdup_printf ("/proc/%u/comm", pid);
  g_autofree char *children_file = g_strdup_printf ("/proc/%u/task/%u/children", pid, pid);
  g_autofree char *smaps = NULL, *name = NULL, *children = NULL;
  g_auto (GStrv) pids = NULL;
  guint64 pss = 0;

  if (g_file_get_contents (smaps_file, &smaps, NULL, NULL) &&
      g_file_get_contents (status_file, &name, NULL, NULL)) {
    pss = number_after (smaps, "\nPss:");
    g_print ("memory           %*s%-16s %6" G_GUINT64_FORMAT " KiB (proportional share)\n",
             (int) depth * 2, "", g_strchomp (name), pss);
  }
  if (!g_file_get_contents (children_file, &children, NULL, NULL))
    return pss;
  pids = g_strsplit (g_strchomp (children), " ", -1);
  for (char **child = pids; *child != NULL; child++)
    if (**child != 0)
      pss += print_memory ((guint) g_ascii_strtoull (*child, NULL, 10), depth + 1);
  return pss;
}

int
main (int argc, char **argv)
{
  Bench bench = { 0 };
  g_autoptr (GError) error = NULL;
  guint64 total;

  bench.bin = g_strdup (g_getenv ("SECRET_PROXY_BIN"));
  must (bench.bin != NULL, NULL, "SECRET_PROXY_BIN is not set");
  bench.folder = g_dir_make_tmp ("secret-proxy-bench-XXXXXX", &error);
  must (bench.folder != NULL, error, "a folder");
  start_vault (&bench);
  bench_polls (&bench);
  bench_durable (&bench);
  bench_latency (&bench);
  total = print_memory (bench.pid, 0);
  g_print ("memory           in all %" G_GUINT64_FORMAT " KiB\n", total);
  g_subprocess_send_signal (bench.local, 15);
  (void) g_subprocess_wait (bench.local, NULL, NULL);
  return 0;
}
