#!/bin/sh
# Runs the kernel's paths under AddressSanitizer and UndefinedBehaviorSanitizer.
set -eu
cd "$(dirname "$0")/../../../.."
sources=service/inference/engines/kernel
mkdir -p build/sanitize

# One compiler a file, two at a time; module.cpp is the Python binding and stays out.
ls "$sources"/*.cpp tests/service/inference/engines/kernel/paths_agree.cpp | grep -v /module.cpp |
    xargs -P 2 -I{} sh -c '"$0" -std=c++17 -O1 -g -Wall -Wextra -Werror -I"$1" \
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
        -c "$2" -o "build/sanitize/$(basename "$2" .cpp).o"' "${CXX:-g++}" "$sources" {}
"${CXX:-g++}" -fsanitize=address,undefined -pthread build/sanitize/*.o -o build/sanitize/paths_agree
exec build/sanitize/paths_agree "$@"
