#!/bin/sh
# A whole worker for Linux in sh, curl and unzip. It runs one task at a time, on this machine as it is, without a container: jobs must
# name no image (`"image": null`), or the farm's default image must be off.
#   LANYARD_URL=http://192.168.1.10:7420 LANYARD_TOKEN=... WORKER_ID=shell-1 sh shell-worker.sh
# POLL_SECONDS (2) is how often it asks. Answers come as lines of name='value', because it asks for text/plain.
set -u
url=${LANYARD_URL:?} worker=${WORKER_ID:-$(hostname)} poll=${POLL_SECONDS:-2}
top=$(mktemp -d) && printf 'header = "Authorization: Bearer %s"\n' "${LANYARD_TOKEN:?}" >"$top/curl" # a file: `ps` shows arguments
task='' && trap 'test -n "$task" && kill -9 "-$task"; rm -rf "$top"' EXIT && trap 'exit 1' INT TERM HUP

ask() { # METHOD PATH [CURL ARGUMENTS]
  method=$1 path=$2 && shift 2
  curl -fsS --retry 5 -K "$top/curl" -H 'Accept: text/plain' -X "$method" "$url$path" "$@"
}
register() {
  ask POST /api/workers/register -d "workerId=$worker" -d running= -d executors=host -d maxParallel=1 -d "os=$(uname -s)" -d "arch=$(uname -m)" \
    -d "cpuCores=$(getconf _NPROCESSORS_ONLN)" -d "totalRamMb=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
}
beat() { # ATTEMPT: sets stop when it should end
  stop='' && answer=$(ask POST /api/workers/heartbeat -d "workerId=$worker" -d "running=$1") && eval "$answer"
}
send_output() { # what the task has written since the last time, up to 4 MB
  tail -c "+$((sent + 1))" "$top/output" | head -c 4000000 >"$top/part" && size=$(wc -c <"$top/part")
  test "$size" -eq 0 || { ask POST "/api/jobs/stream-output?id=$id&workerId=$worker" -H 'Content-Type: application/octet-stream' \
    --data-binary "@$top/part" >/dev/null && sent=$((sent + size)); }
}
send_files() { # uploads what matches the job's globs, and prints what sha256sum says of it
  IFS='
'
  for file in $outputs; do
    test -f "$file" || { echo "the output $file is missing" >>"$top/output"; return 1; }
    hash=$(sha256sum -- "$file" | cut -c1-64) && sha256sum -- "$file" && ask PATCH "/api/blobs/$hash" -T "$file" -H 'Upload-Offset: 0' \
      -H "Upload-Length: $(wc -c <"$file")" -H 'Content-Type: application/octet-stream' >/dev/null || return 1
  done
}
run_task() { # the one whose fields were just set
  rm -rf "$top/work" && mkdir "$top/work" && : >"$top/output" && : >"$top/files" && sent=0
  if test -n "$fileUrl"; then ask GET "/api/blobs/${fileUrl##*/}" -o "$top/input.zip" && unzip -q "$top/input.zip" -d "$top/work" || return 1; fi
  cd "$top/work/$workdir" || return 1
  (eval "$exports" && exec setsid sh -c "$command") >"$top/output" 2>&1 </dev/null &
  task=$! # and the id of its process group, so that all of it can be ended
  while kill -0 "$task" 2>/dev/null; do
    sleep "$poll" && beat "$id" && send_output
    test -z "$stop" || kill -9 "-$task"
  done
  wait "$task" && code=0 || code=$?
  task='' && test "$code" -ne 0 || (send_files) >"$top/files" || code=1
  cd "$top" && while send_output && test "$size" -gt 0; do :; done
}

until register >/dev/null; do sleep "$poll"; done
while :; do
  id='' && answer=$(ask POST /api/jobs/get-job -d "workerId=$worker" -d running=) && eval "$answer"
  if test -z "$id"; then sleep "$poll" && { beat '' || register >/dev/null; } && continue; fi
  code=1 stop='' && run_task
  test "$code" -eq 0 && method=POST || method=PUT
  ask "$method" /api/jobs/submit-result -d "id=$id" -d "workerId=$worker" -d "exitCode=$code" --data-urlencode "outputs@$top/files" >/dev/null
done
