// Compiles what lies between VALENCE_TARGET_BEGIN("...") and VALENCE_TARGET_END for an instruction
// set, so that the build needs no flags a file.
#pragma once

#define VALENCE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define VALENCE_TARGET_BEGIN(isa) \
  VALENCE_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define VALENCE_TARGET_END VALENCE_PRAGMA(clang attribute pop)
#else
// GCC 12 warns of its own intrinsics' deliberately undefined registers.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
// never popped: GCC may instantiate templates at the end of the file, with what holds there
#define VALENCE_TARGET_BEGIN(isa) VALENCE_PRAGMA(GCC target(isa))
#define VALENCE_TARGET_END
#endif

// A vector that the compiler may not reason about, at no instruction's cost.
#if defined(__x86_64__)
#define VALENCE_OPAQUE(vector) __asm__ volatile("" : "+v"(vector))
#elif defined(__aarch64__)
#define VALENCE_OPAQUE(vector) __asm__ volatile("" : "+w"(vector))
#else
#define VALENCE_OPAQUE(vector) (void)0
#endif
