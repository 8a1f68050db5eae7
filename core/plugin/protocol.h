/* protocol.h - what the keeper and a plugin host say to one another
 *
 * The keeper gives one call at a time; the plugin host calls back at any time.  The first argument of
 * a call is its deadline in milliseconds.  Values of secrets travel as the blob of `open` only.
 */
#pragma once

#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>
#include <secret-proxy/vm.h>

#include "base/link.h"

/* What the keeper may call.  Errors are those of the plugin (SP_ERROR), or SP_PROBLEM ones of the
 * plugin host. */
typedef enum {
  SP_PLUGIN_RECALL,     /* (what remember() kept): any number of times before `open`; no deadline */
  SP_PLUGIN_OPEN,       /* (ms, kind word, path, instance, options, people) blob: a{say} secrets */
  SP_PLUGIN_START,      /* (ms) */
  SP_PLUGIN_STOP,       /* (ms) */
  SP_PLUGIN_POST,       /* (ms, notice) */
  SP_PLUGIN_SETTLE,     /* (ms, notice, SpOutcomeKind, text) */
  SP_PLUGIN_READ,       /* (ms, table, key) -> (value, revision) */
  SP_PLUGIN_WRITE,      /* (ms, batches of (table, key, expect, value)) -> SpBatchResult each */
  SP_PLUGIN_SCAN,       /* (ms, table, after, most rows, most bytes) -> (rows, are there more?) */
  SP_PLUGIN_VM_PROBE,   /* (ms) -> (SpVmAcceleration, why, version) */
  SP_PLUGIN_VM_CREATE,  /* (ms, specification) */
  SP_PLUGIN_VM_START,   /* (ms, id) */
  SP_PLUGIN_VM_STOP,    /* (ms, id, force) */
  SP_PLUGIN_VM_DESTROY, /* (ms, id) */
  SP_PLUGIN_VM_INSPECT, /* (ms, id) -> (SpVmState, SpVmAcceleration, pid, address, why) */
  SP_PLUGIN_VM_LIST,    /* (ms) -> (id, SpVmState) each */
  SP_PLUGIN_N_CALLS
} SpPluginCall;

extern const SpLinkMethod sp_plugin_calls[SP_PLUGIN_N_CALLS];

/* What the plugin host may call. */
typedef enum {
  SP_PLUGIN_REMEMBER,   /* (key, value or nothing) */
  SP_PLUGIN_ANSWER,     /* (notice id, choice id, person, evidence) -> (SpAnswerResult, sentence) */
  SP_PLUGIN_ALARM,      /* (what) */
  SP_PLUGIN_BROKEN,     /* (why, or nothing: it works again) */
  SP_PLUGIN_PROGRESS,   /* (what) */
  SP_PLUGIN_VM_CHANGED, /* (id) */
  SP_PLUGIN_COMMAND,    /* (person, command, evidence) -> (SpAnswerResult, text) */
  SP_PLUGIN_N_UPCALLS
} SpPluginUpcall;

extern const SpLinkMethod sp_plugin_upcalls[SP_PLUGIN_N_UPCALLS];

/* id, title, fields (label, value, origin), choices (id, label, style), expires at */
#define SP_NOTICE_TYPE "(ssa(ssu)a(ssu)x)"
#define SP_WRITES_TYPE "a(ssxmay)"
#define SP_ROWS_TYPE "a(sxay)"
/* Of a machine: id, name, role; kernel, initrd, command line; disks (path, name, format, read-only);
 * memory, CPUs, acceleration; network, bridge, MAC, forwards (address, port, the guest's port); admin
 * socket; log, its limit; monitor, pid file. */
#define SP_VM_SPEC_TYPE "(smsumsmsmsa(ssuu)tuuumsmsa(sqq)msmstmsms)"

/* Bounds of remember(), as secret-proxy/plugin.h states them. */
#define SP_REMEMBER_MAX_KEY 128u
#define SP_REMEMBER_MAX_VALUE (8u * 1024u)
#define SP_REMEMBER_MAX_KEYS 4096u

/* Floating. */
GVariant *sp_notice_to_variant (const SpNotice *notice);
/* All in one piece; its strings are those of @variant, which it holds. */
SpNotice *sp_notice_from_variant (GVariant *variant);
void sp_notice_free (SpNotice *notice);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpNotice, sp_notice_free)

/* Floating.  A path that is not UTF-8 comes out changed, so that it is not found. */
GVariant *sp_vm_spec_to_variant (const SpVmSpec *spec);
/* All in one piece; its strings are those of @variant, which it holds. */
SpVmSpec *sp_vm_spec_from_variant (GVariant *variant);
void sp_vm_spec_free (SpVmSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpVmSpec, sp_vm_spec_free)

/* Floating ay. */
GVariant *sp_bytes_to_variant (GBytes *bytes);
/* The bytes of an ay, without a copy; holds @variant. */
GBytes *sp_bytes_from_variant (GVariant *variant);
