/* catalog.c - catalog.h */
#include "host/cloud/catalog.h"

#include <string.h>

#include "base/problem.h"

#define SHA512_HEX 128u
#define MAX_SUMS (256u * 1024u)

/* Releases that stay where they are: what `latest` is changes under a checksum. */
static const struct {
  const char *name;
  const char *url;
  const char *sums;
} vendors[] = {
  { "alpine",
    "https://dl-cdn.alpinelinux.org/alpine/v3.19/releases/cloud/"
    "nocloud_alpine-3.19.0-x86_64-bios-cloudinit-r0.qcow2",
    "https://dl-cdn.alpinelinux.org/alpine/v3.19/releases/cloud/"
    "nocloud_alpine-3.19.0-x86_64-bios-cloudinit-r0.qcow2.sha512" },
  { "debian",
    "https://cloud.debian.org/images/cloud/bookworm/20250210-2019/"
    "debian-12-genericcloud-amd64-20250210-2019.qcow2",
    "https://cloud.debian.org/images/cloud/bookworm/20250210-2019/SHA512SUMS" },
};

void
sp_cloud_base_free (SpCloudBase *base)
{
  if (base == NULL)
    return;
  g_free (base->name);
  g_free (base->url);
  g_free (base->sums);
  g_free (base->sha512);
  g_free (base->path);
  g_free (base);
}

/* ---- checksums ----------------------------------------------------------------------------------------- */

static gboolean
is_sha512 (const char *text, gsize length)
{
  return length == SHA512_HEX && strspn (text, "0123456789abcdefABCDEF") >= SHA512_HEX;
}

/* "DIGEST  NAME", "DIGEST *NAME", or "DIGEST". */
static gboolean
line_is_of (const char *line, const char *name)
{
  const char *rest = line + SHA512_HEX;

  if (*rest == '\0')
    return TRUE;
  if (rest[0] != ' ' || (rest[1] != ' ' && rest[1] != '*'))
    return FALSE;
  return g_str_equal (rest + 2, name);
}

char *
sp_cloud_sums_find (const char *text, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    g_strchomp (*line);
    if (is_sha512 (*line, strspn (*line, "0123456789abcdefABCDEF")) && line_is_of (*line, name))
      return g_ascii_strdown (*line, SHA512_HEX);
  }
  return NULL;
}

/* ---- what it stands for -------------------------------------------------------------------------------- */

static gboolean
take_sha512 (SpCloudBase *base, const char *sha512, GError **error)
{
  if (sha512 == NULL)
    return TRUE;
  if (!is_sha512 (sha512, strlen (sha512))) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "--sha512 takes the 128 hex digits of a SHA-512");
    return FALSE;
  }
  base->sha512 = g_ascii_strdown (sha512, -1);
  return TRUE;
}

static gboolean
take_url (SpCloudBase *base, const char *url, GError **error)
{
  if (base->sha512 == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "the checksum of %s is not known: give it with --sha512, as whoever offers the "
                 "image says",
                 url);
    return FALSE;
  }
  base->url = g_strdup (url);
  base->name = g_path_get_basename (url);
  return TRUE;
}

static gboolean
take_file (SpCloudBase *base, const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "'%s' is no image: name one of alpine, debian, a qcow2 file, or an address", path);
    return FALSE;
  }
  base->path = g_canonicalize_filename (path, NULL);
  base->name = g_path_get_basename (path);
  return TRUE;
}

static gboolean
take (SpCloudBase *base, const char *what, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (vendors); i++)
    if (g_str_equal (vendors[i].name, what)) {
      base->name = g_strdup (what);
      base->url = g_strdup (vendors[i].url);
      base->sums = base->sha512 ? NULL : g_strdup (vendors[i].sums);
      return TRUE;
    }
  return strstr (what, "://") != NULL ? take_url (base, what, error)
                                      : take_file (base, what, error);
}

SpCloudBase *
sp_cloud_base_resolve (const char *what, const char *sha512, GError **error)
{
  g_autoptr (SpCloudBase) base = g_new0 (SpCloudBase, 1);

  if (!take_sha512 (base, sha512, error) || !take (base, what, error))
    return NULL;
  return g_steal_pointer (&base);
}

/* ---- getting it ------------------------------------------------------------------------------------------ */

static gboolean
ask_vendor (SpCloudBase *base, GError **error)
{
  g_autofree char *name = g_path_get_basename (base->url);
  g_autofree char *text = sp_fetch_text (base->sums, MAX_SUMS, error);

  if (text == NULL)
    return FALSE;
  base->sha512 = sp_cloud_sums_find (text, name);
  if (base->sha512 == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the vendor's checksums at %s have none for %s: give it with --sha512", base->sums,
                 name);
  return base->sha512 != NULL;
}

gboolean
sp_cloud_base_get (SpCloudBase *base, SpFetchProgress progress, gpointer data, GError **error)
{
  SpFetch fetch = { .url = base->url, .progress = progress, .data = data };

  if (base->path != NULL)
    return TRUE;
  if (base->sha512 == NULL && !ask_vendor (base, error))
    return FALSE;
  fetch.sha512 = base->sha512;
  base->path = sp_fetch_file (&fetch, error);
  return base->path != NULL;
}

void
sp_cloud_base_parts (const SpCloudBase *base, SpCloudParts *parts)
{
  parts->base = base->path;
  parts->name = base->name;
  parts->url = base->url;
  parts->sha512 = base->sha512;
}
