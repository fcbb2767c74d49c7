#!/usr/bin/env bash
# What is installed can be used: a program in C11, and the same in C++17, finds the library by
# pkg-config (shared and static), by CMake's find_package() and by add_subdirectory(), and runs.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc g++ libc6-dev cmake ninja-build pkg-config

built=$root/build/install
prefix=$built/prefix
rm -rf "$built"
build install all -DCMAKE_C_COMPILER=gcc -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib
cmake --install "$built" >"$built/install.log"
diff -r "$root/include" "$prefix/include"

mkdir "$built/consumer"
cd "$built/consumer"
cat >consumer.c <<'END'
#include <aiol.h>
#include <stdio.h>

static int main_task(void *arg)
{
    (void)arg;
    return aiol_await_sleep(1 * AIOL_MILLISECOND);
}

int main(void)
{
    int rc = aiol_run(main_task, NULL);

    printf("version %u, %s\n", (unsigned)aiol_version(), aiol_error_name(rc));
    return rc < 0;
}
END
cp consumer.c consumer.cpp
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C CXX)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 17)
if(AIOL_SOURCE)
  add_subdirectory(${AIOL_SOURCE} aio-loop)
else()
  find_package(aio-loop 0.1 REQUIRED)
endif()
foreach(language c cpp)
  foreach(library aio-loop shared)
    add_executable(${language}-${library} consumer.${language})
    target_link_libraries(${language}-${library} PRIVATE aio-loop::${library})
  endforeach()
endforeach()
END

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra shared < <(pkg-config --cflags --libs libaio-loop)
read -ra static < <(pkg-config --static --cflags --libs libaio-loop)
gcc -std=c11 consumer.c -o c-shared "${shared[@]}"
gcc -std=c11 -static consumer.c -o c-static "${static[@]}"
g++ -std=c++17 consumer.cpp -o cpp-shared "${shared[@]}"
g++ -std=c++17 -static consumer.cpp -o cpp-static "${static[@]}"
cmake -G Ninja -S . -B package -DCMAKE_PREFIX_PATH="$prefix" >package.log
cmake -G Ninja -S . -B subdirectory -DAIOL_SOURCE="$root" >subdirectory.log
cmake --build package --parallel "$(nproc)" >>package.log || { cat package.log; exit 1; }
cmake --build subdirectory --parallel "$(nproc)" >>subdirectory.log ||
    { cat subdirectory.log; exit 1; }

for program in {c,cpp}-{shared,static} {package,subdirectory}/{c,cpp}-{aio-loop,shared}; do
    echo "$program: $(LD_LIBRARY_PATH=$prefix/lib "./$program")"
done
