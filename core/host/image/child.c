/* child.c - image-judge.h: the process that reads an image of the agent's
 *
 *   check              findings to descriptor 5; where there is none, the tables to descriptor 4
 *   root SIZE SHA256   what differs to descriptor 5
 *
 * Descriptor 3 is the image.  An answer is lines "CODE MESSAGE", and "done" in the end.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/confine.h"
#include "host/image/compare.h"
#include "host/image/judge-private.h"
#include "host/image/judge.h"
#include "host/image/private.h"

#define MAX_MEMORY (512u * 1024u * 1024u)
#define MAX_SECONDS 60u

static void
say (const char *code, const char *message)
{
  (void) dprintf (SP_IMAGE_ANSWER_FD, "%s %s\n", code, message);
}

static int
done (void)
{
  return dprintf (SP_IMAGE_ANSWER_FD, SP_IMAGE_DONE "\n") > 0 ? 0 : 1;
}

static int
fail (const GError *error)
{
  say (SP_IMAGE_ERROR, error->message);
  return 1;
}

static void
say_all (GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    const SpImageFinding *finding = g_ptr_array_index (findings, i);

    say (finding->code, finding->message);
  }
}

/* What the tool will see is looked at itself, as the file may have changed meanwhile. */
static int
check_copy (guint64 length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = NULL;

  if (ftruncate (SP_IMAGE_TABLES_FD, (off_t) length) != 0) {
    say (SP_IMAGE_ERROR, "cannot finish the copy of the tables");
    return 1;
  }
  findings = sp_image_check (SP_IMAGE_TABLES_FD, &sp_image_default_limits, &error);
  if (findings == NULL)
    return fail (error);
  say_all (findings);
  return done ();
}

static int
check (void)
{
  g_auto (SpImageScan) scan = { 0 };
  g_autoptr (GError) error = NULL;

  if (!sp_image_scan_init (&scan, SP_IMAGE_FD, &sp_image_default_limits, &error))
    return fail (error);
  scan.copy = SP_IMAGE_TABLES_FD;
  if (!sp_image_scan_all (&scan, &error))
    return fail (error);
  say_all (scan.findings);
  return scan.findings->len > 0 ? done () : check_copy (scan.file_size);
}

static int
compare (const char *size_text, const char *sha256)
{
  g_autoptr (GError) error = NULL;
  guint64 size = 0;

  if (!g_ascii_string_to_unsigned (size_text, 10, 1, G_MAXINT64, &size, &error))
    return fail (error);
  if (sp_image_compare_root (SP_IMAGE_FD, size, sha256, &error))
    return done ();
  if (!g_error_matches (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY))
    return fail (error);
  say (SP_IMAGE_DIFFERS, error->message);
  return done ();
}

int
sp_image_child_main (int n_args, char **args)
{
  const SpConfinement confinement = {
    .name = "sp-image",
    .purpose = "image",
    .last_fd = SP_IMAGE_ANSWER_FD,
    .max_memory = MAX_MEMORY,
    .max_file = sp_image_default_limits.max_file,
    .max_seconds = MAX_SECONDS,
  };

  if (!sp_confine (&confinement))
    return 1;
  if (n_args == 1 && g_str_equal (args[0], SP_IMAGE_CHECK))
    return check ();
  if (n_args == 3 && g_str_equal (args[0], SP_IMAGE_ROOT))
    return compare (args[1], args[2]);
  return 1;
}
