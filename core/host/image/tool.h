/* tool.h - a second opinion on an image, by the tool of those who made the format
 *
 * The tool checks reference counts, which image.h does not.  It runs in a sandbox, sees a copy of header and
 * tables only, and never that of an image of which image.h has anything to say: see image-judge.c.
 */
#pragma once

#include "host/image/image.h"

/* @tables: a sealed memfd as long as the image.  Adds what the tool finds to @findings (SpImageFinding);
 * leaks are no finding.  FALSE: it can't be run. */
gboolean sp_image_tool_run (int tables, GPtrArray *findings, GError **error);
