/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes and small language helpers. */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

#include <assert.h>
#include <stddef.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define unused_ __attribute__((unused))
#define noreturn_ __attribute__((noreturn))
#define cold_ __attribute__((cold, noinline))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * What one thread hands to the kernel, and another gets from it later (a reply; the request that an
 * application makes because of it), happens in this order; ThreadSanitizer must be told.
 */
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifdef HAS_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define from_kernel(obj) __tsan_acquire(obj)
#define to_kernel(obj) __tsan_release(obj)
#else
#define from_kernel(obj) ((void)(obj))
#define to_kernel(obj) ((void)(obj))
#endif

/* The condition is the message. size_assert() stands right after the struct it is about. */
#define build_assert(cond) static_assert(cond, #cond)
#define size_assert(type, bytes) \
	static_assert(sizeof(type) == (bytes), #type " is not " #bytes " bytes")
#define offset_assert(type, member, bytes) \
	static_assert(offsetof(type, member) == (bytes), #type "." #member " is not at " #bytes)

/* 0, or a compile error if cond does not hold: for use inside an expression. */
#define build_assert_zero(cond) (sizeof(struct { int assertion_failed : (cond) ? 1 : -1; }) * 0)

#ifdef __CPPCHECK__ /* takes what is in typeof and sizeof for an evaluation */
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#else
#define is_array_(a) (!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])))
#define array_size(a) (sizeof(a) / sizeof((a)[0]) + build_assert_zero(is_array_(a)))

/* The struct that holds *ptr as its member. */
#define container_of(ptr, type, member)                                                        \
	({                                                                                     \
		static_assert(__builtin_types_compatible_p(__typeof__(*(ptr)),                 \
							   __typeof__(((type *)0)->member)) || \
				      __builtin_types_compatible_p(__typeof__(*(ptr)), void),  \
			      "container_of: pointer and member differ in type");              \
		(type *)(void *)((char *)(ptr) - offsetof(type, member));                      \
	})
#endif

#endif
