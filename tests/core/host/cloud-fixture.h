/* cloud-fixture.h - a small cloud image for tests: a qcow2 of nothing, a bundle of two files */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>

#include "host/cloud/cloud-image.h"

typedef struct {
  char *dir;
  char *base, *bundle, *image;
} CloudFixture;

/* The words of a command; it must succeed. */
static inline void
cloud_run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

#define CLOUD_RUN(...) cloud_run ((const char *const[]){ __VA_ARGS__, NULL })

static inline void
cloud_write (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

static inline void
cloud_fixture_set_up (CloudFixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("sp-cloud-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->base = g_build_filename (fixture->dir, "vendor.qcow2", NULL);
  fixture->bundle = g_build_filename (fixture->dir, "bundle", NULL);
  fixture->image = g_build_filename (fixture->dir, "image", NULL);
  g_assert_cmpint (g_mkdir (fixture->bundle, 0755), ==, 0);
  cloud_write (fixture->bundle, "manifest", "{\"format\":1}\n");
  cloud_write (fixture->bundle, "install", "#!/bin/sh\n");
  CLOUD_RUN ("qemu-img", "create", "-q", "-f", "qcow2", fixture->base, "4M");
}

static inline SpCloudParts
cloud_fixture_parts (const CloudFixture *fixture)
{
  return (SpCloudParts){ .base = fixture->base, .name = "vendor", .bundle = fixture->bundle };
}

/* The same with the programs in a container. */
static inline SpCloudParts
cloud_fixture_container_parts (const CloudFixture *fixture)
{
  SpCloudParts parts = cloud_fixture_parts (fixture);
  g_autofree char *archive = g_build_filename (fixture->dir, "archive", NULL);

  cloud_write (fixture->dir, "archive", "an OCI archive\n");
  parts.runtime = SP_CLOUD_IN_CONTAINER;
  parts.container = g_intern_string (archive);
  return parts;
}

static inline SpCloudImage *
cloud_fixture_make (const CloudFixture *fixture)
{
  const SpCloudParts parts = cloud_fixture_parts (fixture);
  g_autoptr (GError) error = NULL;
  SpCloudImage *image = sp_cloud_image_make (&parts, fixture->image, &error);

  g_assert_no_error (error);
  return image;
}

static inline void
cloud_fixture_clear (CloudFixture *fixture)
{
  CLOUD_RUN ("rm", "-rf", fixture->dir);
  g_free (fixture->dir);
  g_free (fixture->base);
  g_free (fixture->bundle);
  g_free (fixture->image);
}
