#!/usr/bin/env bash
# Takes the tour through folders of all kinds: tour.sh PROGRAM. The last line sums up.
set -euo pipefail

tour=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check WHAT COMMAND...: counts whether the command succeeds; if not, shows what the tour printed.
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        sed 's/^/    /' "$work/out" "$work/err"
    fi
}

# take_tour DIR: leaves $status, and what was printed in $work/out and $work/err.
take_tour() {
    status=0
    "$tour" "$1" >"$work/out" 2>"$work/err" || status=$?
}

succeeds() { [ "$status" -eq 0 ] && [ ! -s "$work/err" ]; }
# fails LINES: with so many lines on stderr, and neither by a signal nor by a sanitizer.
fails() { [ "$status" -eq 1 ] && [ "$(wc -l <"$work/err")" -eq "$1" ]; }
says() { grep -qE -- "$1" "$work/out"; }
complains() { grep -qE -- "$1" "$work/err"; }

# 2,000 files: every 97th is empty, the largest has some 200 kB.
files=$work/files
mkdir -p "$files/a/b c" "$files/.git" "$files/build"
text=$(printf '%065536d' 0)
text=$text$text$text
for ((i = 0; i < 1990; i++)); do
    printf '%d %s' "$i" "${text:0:i * i % 197 * (i % 50 ? 9 : 999)}" >"$files/a/b c/$i"
    ((i % 97)) || : >"$files/a/b c/$i"
done
for name in ' ' '%41%' $'new\nline' 'ütf-8 ☃' 'a?b#c' '-' '...' '\back' $'\377' '"<&>"'; do
    printf '%s' "$name" >"$files/$name"
done
bytes=$(find "$files" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
: >"$files/.git/left out"
: >"$files/build/left out"

take_tour "$files"
check "2,000 files" succeeds
check "2,000 files: all are downloaded" says 'files downloaded +2000 of 2000$'
check "2,000 files: all bytes are hashed" says "bytes hashed +$bytes\$"
check "2,000 files: as many at a time as it may be" says 'in flight +16 at most$'

(ulimit -n 24 && take_tour "$files" && echo "$status" >"$work/status")
status=$(cat "$work/status")
check "2,000 files and few descriptors" succeeds
check "2,000 files and few descriptors: all are downloaded" says '2000 of 2000$'

mkdir "$work/none"
take_tour "$work/none"
check "an empty folder" succeeds

take_tour "$work/absent"
check "an absent folder" fails 1
check "an absent folder: is named" complains "^tour: $work/absent: no such file"

take_tour "$files/-"
check "a file instead of a folder" fails 1

# Links, and what is no file.
links=$work/links
mkdir -p "$links/folder" "$work/outside"
echo inside >"$links/folder/file"
echo outside >"$work/outside/file"
ln -s folder/file "$links/inside"
ln -s ../outside/file "$links/outside"
ln -s folder "$links/to a folder"
mkfifo "$links/pipe"
take_tour "$links"
check "links" succeeds
check "links: those to files inside are followed" says 'files downloaded +2 of 2$'
check "links: the others are left out" says ' 2 links .* 1 that '

ln -s nowhere "$links/dangling"
ln -s loop "$links/loop"
take_tour "$links"
check "links that lead nowhere" fails 2
check "links that lead nowhere: each is named" complains '^tour: dangling: the server answers 404'
check "links that lead nowhere: the rest is done" says 'files downloaded +2 of 4$'

# Files of sysfs claim to have a page, and have less.
if [ -r /sys/kernel/mm/transparent_hugepage/enabled ]; then
    take_tour /sys/kernel/mm/transparent_hugepage
    check "files that are shorter than they claim" [ "$status" -eq 1 ]
    check "files that are shorter than they claim: each is named" \
        complains '^tour: enabled: the server closed early, after [0-9]+ of [0-9]+ bytes$'
fi

# While 16 large files are on their way, one of them shrinks, and one that is still to come
# vanishes; and strangers ask the server for what it must not give.
large=$work/large
mkdir "$large"
truncate -s 64M "$large"/{01,02,03,04,05,06,07,08,09,10,11,12,13,14,15,16}
echo late >"$large/late"
echo small >"$large/small"
ln -s ../outside/file "$large/outside"
: >"$work/out"
"$tour" "$large" >"$work/out" 2>"$work/err" &
until [ -e /proc/$!/fd ] && find /proc/$!/fd -lname "$large/16" | grep -q .; do
    kill -0 $!
done
truncate -s 0 "$large/01"
rm "$large/late"

port=$(sed -nE 's/.*127\.0\.0\.1:([0-9]+).*/\1/p' "$work/out")
# answers ANSWER REQUEST: whether the answer to this begins like that.
answers() {
    local answer
    exec {peer}<>"/dev/tcp/127.0.0.1/$port"
    printf '%b' "$2" >&"$peer"
    answer=$(cat <&"$peer")
    exec {peer}>&-
    [[ $answer == "HTTP/1.1 $1"* ]]
}
check "GET" answers 200 'GET /small HTTP/1.1\r\n\r\n'
check "GET of what is not there" answers 404 'GET /nothing HTTP/1.1\r\n\r\n'
check "GET of a folder" answers 404 'GET / HTTP/1.1\r\n\r\n'
check "GET by way of .." answers 404 'GET /../outside/file HTTP/1.1\r\n\r\n'
check "GET by way of an encoded .." answers 404 'GET /%2e%2e%2Foutside/file HTTP/1.1\r\n\r\n'
check "GET by way of a link" answers 404 'GET /outside HTTP/1.1\r\n\r\n'
check "GET of an absolute path" answers 404 "GET /$work/outside/file HTTP/1.1\\r\\n\\r\\n"
check "GET with an encoded zero" answers 400 'GET /small%00 HTTP/1.1\r\n\r\n'
check "GET with a broken encoding" answers 400 'GET /small%4 HTTP/1.1\r\n\r\n'
check "POST" answers 400 'POST /small HTTP/1.1\r\n\r\n'
check "noise" answers 400 '\0377\0377 \0 noise\r\n\r\n'

status=0
wait $! || status=$?
check "shrinking and vanishing" fails 2
check "shrinking: is named" complains '^tour: 01: the server closed early, after [0-9]+ of 67108864'
check "vanishing: is named" complains '^tour: late: the server answers 404 Not Found$'
check "shrinking and vanishing: the rest is done" says 'downloaded +16 of 18$'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
