#!/bin/sh
# Makes of deploy/nginx what a test can start: tests/gateway/configure.sh FOLDER APPLICATION LISTEN
#   FOLDER holds the configuration, the cache and the logs; APPLICATION and LISTEN are address:port.
# Nothing of the files is changed but where things lie.  Then: nginx -p FOLDER -c FOLDER/nginx.conf
set -eu
folder=$1 application=$2 listen=$3
source=$(dirname "$0")/../../deploy/nginx
mkdir -p "$folder/log" "$folder/cache" "$folder/tmp"
for file in exposition routes site; do
  sed -e "s#/var/cache/nginx/exposition#$folder/cache#" -e "s#/var/log/nginx/#$folder/log/#" \
    -e "s#/etc/nginx/exposition/#$folder/#" -e "s#127\.0\.0\.1:3000#$application#" -e "s#listen 8080#listen $listen#" \
    "$source/$file.conf" >"$folder/$file.conf"
done
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"
cat >"$folder/nginx.conf" <<TEXT
$user
worker_processes 1;
pid $folder/pid;
error_log $folder/log/error.log warn;
events { worker_connections 4096; }
http {
    client_body_temp_path $folder/tmp/body;
    proxy_temp_path $folder/tmp/proxy;
    fastcgi_temp_path $folder/tmp/fastcgi;
    uwsgi_temp_path $folder/tmp/uwsgi;
    scgi_temp_path $folder/tmp/scgi;
    include $folder/exposition.conf;
    include $folder/site.conf;
}
TEXT
