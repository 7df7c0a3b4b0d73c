#!/bin/sh
# Build the kernel with paths_agree.cpp and run it:
#   paths.sh sanitize [ROUNDS]  under AddressSanitizer and UndefinedBehaviorSanitizer
#   paths.sh arm64 [ROUNDS]     for 64-bit ARM, emulated by qemu, beside the numbers of this machine
set -eu
kind=$1
rounds=${2:-8}
cd "$(dirname "$0")/../../../../.."
sources=service/inference/engines/kernel
# build FOLDER FLAGS COMPILER: one compiler a file, two at a time. *module.cpp are the Python binding and
# stay out.
build() {
    mkdir -p "build/$1"
    # shellcheck disable=SC2086 # $2 holds several flags
    ls "$sources"/*.cpp tests/service/inference/engines/kernel/paths_agree.cpp | grep -v module.cpp |
        xargs -P 2 -I{} sh -c 'file=$1 objects=$2 compiler=$3 sources=$4; shift 4
            "$compiler" -std=c++17 -Wall -Wextra -Werror -pthread -I"$sources" "$@" \
                -c "$file" -o "$objects/$(basename "$file" .cpp).o"' sh {} "build/$1" "$3" "$sources" $2
    # shellcheck disable=SC2086
    "$3" -pthread $2 "build/$1"/*.o -o "build/$1/paths_agree"
}

case $kind in
sanitize)
    build sanitize "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
        "${CXX:-g++}"
    exec build/sanitize/paths_agree "$rounds"
    ;;
arm64)
    for program in aarch64-linux-gnu-g++ qemu-aarch64-static; do
        if ! command -v "$program" > /dev/null; then
            echo "$program is missing: apt-get install g++-aarch64-linux-gnu qemu-user-static" >&2
            exit 1
        fi
    done
    # -O1: the numbers are the same within the limit, and the paths of this machine compile faster.
    build paths -O1 "${CXX:-g++}"
    # The flags of setup.py, and -static: the emulated program needs no libraries of the other processor.
    build arm64 "-O3 -ffp-contract=fast -static" aarch64-linux-gnu-g++
    build/paths/paths_agree "$rounds" write build/arm64/expected
    exec qemu-aarch64-static build/arm64/paths_agree "$rounds" compare build/arm64/expected
    ;;
*)
    echo "paths.sh sanitize or paths.sh arm64, not paths.sh $kind" >&2
    exit 1
    ;;
esac
