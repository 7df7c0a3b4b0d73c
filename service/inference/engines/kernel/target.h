// Code between VALENCE_TARGET_BEGIN("...") and VALENCE_TARGET_END is compiled for an instruction
// set, so the build needs no flags per file.
#pragma once

#define VALENCE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define VALENCE_TARGET_BEGIN(isa) \
  VALENCE_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define VALENCE_TARGET_END VALENCE_PRAGMA(clang attribute pop)
#else
// GCC 12 warns of registers that its own intrinsics leave undefined on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
// Never popped: GCC may instantiate templates at the end of the file, with the target in effect
// there.
#define VALENCE_TARGET_BEGIN(isa) VALENCE_PRAGMA(GCC target(isa))
#define VALENCE_TARGET_END
#endif

// Hides the value of a vector from the optimizer, without an instruction.
#if defined(__x86_64__)
#define VALENCE_OPAQUE(vector) __asm__ volatile("" : "+v"(vector))
#elif defined(__aarch64__)
#define VALENCE_OPAQUE(vector) __asm__ volatile("" : "+w"(vector))
#else
#define VALENCE_OPAQUE(vector) (void)0
#endif
