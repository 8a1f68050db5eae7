/* image-tool.h - a second opinion on an image, by the tool of those who made the format
 *
 * The tool checks reference counts, which image.h does not.  It runs in a sandbox, on a copy of the
 * header and the tables in memory: it never gets at the file itself or at the content of the disk, and
 * never runs for an image of which image.h has anything to say.
 */
#pragma once

#include "host/image.h"

/* Adds what the tool finds to @findings (SpImageFinding), which are those of sp_image_check() so far:
 * where there is one, now or when it is checked again here with the default limits, the tool is not
 * run.  Leaks are no finding.  FALSE: it can't be run. */
gboolean sp_image_tool_check (int fd, GPtrArray *findings, GError **error);
