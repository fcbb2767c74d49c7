# musl as the C library, on this machine's own processor.
set(CMAKE_C_COMPILER musl-gcc)
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_CURRENT_LIST_DIR}/../../build/cross/cmocka-musl/lib/pkgconfig)
