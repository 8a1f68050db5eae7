/* notify-file - appends notices, and how they ended, to a file
 *
 * The smallest notifier, and the one to copy: `secret-proxy plugin new notify NAME` does.  It shows only;
 * people answer in another way.
 *
 * What must stay true: what was acknowledged is on the disk; no text of an agent can pass for another line.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <secret-proxy/notifier.h>

typedef struct {
  SpHost *host;
  const char *path; /* the host's */
} Notifier;

static gpointer
notifier_open (SpHost *host, GError **error)
{
  Notifier *self = g_new0 (Notifier, 1);

  self->host = host;
  self->path = sp_config_string (host, "path");
  return self;
}

/* A pipe with nobody at its other end would keep us waiting, and nothing that is no file keeps a line. */
static int
open_file (const char *path)
{
  int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  struct stat st;

  if (fd < 0 || (fstat (fd, &st) == 0 && S_ISREG (st.st_mode)))
    return fd;
  (void) close (fd);
  errno = ENXIO;
  return -1;
}

static gboolean
append (const Notifier *self, const GString *text, GError **error)
{
  int fd = open_file (self->path);
  gboolean ok;

  if (fd >= 0)
    errno = ENOSPC; /* what a write that is cut short means */
  ok = fd >= 0 && write (fd, text->str, text->len) == (gssize) text->len && fsync (fd) == 0;

  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot write to %s: %s", self->path,
                 errno == ENXIO ? "it is no regular file" : g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

/* It begins with a line feed: a full disk may have cut the line before. */
static GString *
text_of (const SpNotice *notice)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "\n[%s] ", notice->id);
  sp_append_escaped (text, notice->title);
  for (gsize i = 0; i < notice->n_fields; i++) {
    const SpField *field = &notice->fields[i];

    g_string_append_printf (text, "\n  %s%s: ", field->label,
                            field->origin == SP_FIELD_CORE ? "" : " (the agent's claim)");
    sp_append_escaped (text, field->value);
  }
  return g_string_append_c (text, '\n');
}

static char *
notifier_render (const SpNotice *notice)
{
  return g_string_free (text_of (notice), FALSE);
}

/* The core posts a notice again until it has heard that it was taken: so remember. */
static gboolean
notifier_post (gpointer data, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  Notifier *self = data;
  g_autofree char *shown = self->host->api->recall (self->host, notice->id);
  g_autoptr (GString) text = text_of (notice);

  return shown != NULL || (append (self, text, error) &&
                           self->host->api->remember (self->host, notice->id, "shown", error));
}

static gboolean
notifier_settle (gpointer data, const SpNotice *notice, const SpOutcome *outcome,
                 GCancellable *cancellable, GError **error)
{
  Notifier *self = data;
  g_autofree char *shown = self->host->api->recall (self->host, notice->id);
  g_autoptr (GString) text = g_string_new (NULL);

  if (shown == NULL)
    return TRUE;
  g_string_append_printf (text, "\n[%s] ", notice->id);
  sp_append_escaped (text, outcome->text);
  g_string_append_c (text, '\n');
  return append (self, text, error) &&
         self->host->api->remember (self->host, notice->id, NULL, error);
}

static const SpOption options[] = {
  { .key = "path",
    .type = SP_OPTION_PATH,
    .flags = SP_OPTION_REQUIRED,
    .help = "the file that takes the notices; made with mode 0600 if there is none" },
};

static const SpNotifierOps ops = {
  .post = notifier_post,
  .settle = notifier_settle,
  .render = notifier_render,
};

SP_NOTIFIER_PLUGIN (&ops, .name = "file", .version = "0.1",
                    .summary = "appends notices and how they ended to a file", SP_OPTIONS (options),
                    .open = notifier_open, .close = g_free)
