/* image-files.h - the files of a vault's folder that come and go with the image: its disk, and how that is known
 *
 * A vault of an appliance has none: it boots the host's files.  Where it has, those of now have their usual names
 * (vault-record.h), and others lie in folders beside them, which may have only some of them; just those are
 * exchanged then:
 *
 *      image.new/      those of the image to come, while they are made
 *      image.out/      those of now, from the exchange until the image is kept, or taken back
 *      image.back/     where those came from, while the vault goes back to them
 *      image.before/   those of the image of before: the way back
 *
 * Each but the first has the vault.json of its time, which says what they are of.
 *
 * What must stay true: image.out is there before the record names another image; so whatever moment a move is
 * interrupted at, record and folders say in which direction it has to end, and taking the same steps again does.
 */
#pragma once

#include "host/vm/vault-record.h"

#define SP_IMAGE_DRAFT "image.new"

/* Where the files to come lie. */
typedef enum { SP_IMAGE_FROM_DRAFT, SP_IMAGE_FROM_BEFORE } SpImageFrom;

/* An empty image.new; its descriptor, or -1. */
int sp_image_files_draft (int folder, GError **error);
void sp_image_files_drop_draft (int folder);
/* The bytes that @name takes in the file system; 0: it is not there. */
guint64 sp_image_files_taken (int folder, const char *name);

/* The record of image.before; NULL: there is none that is whole, or it is of another image than @image. */
SpVaultRecord *sp_image_files_before (int folder, const char *image);

/* Before the record @now is changed, and after sp_image_files_settle(): what that has left stops it. */
gboolean sp_image_files_set_aside (int folder, const SpVaultRecord *now, GError **error);
/* After it was written.  Where nothing was set aside there is nothing to do. */
gboolean sp_image_files_exchange (int folder, SpImageFrom from, GError **error);
/* All is as before; and what @record says of it, too. */
gboolean sp_image_files_take_back (int folder, SpVaultRecord *record, GError **error);
/* Once @record is not on trial any more: what was set aside is the way back, or of no use. */
gboolean sp_image_files_settle (int folder, const SpVaultRecord *record, GError **error);
