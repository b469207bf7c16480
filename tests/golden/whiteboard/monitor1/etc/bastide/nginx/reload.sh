# bastide: makes nginx read its configuration again, and says so only when it has. nginx keeps its old workers when
# it dislikes the new configuration, and a signal tells nobody: new workers are the proof. The old ones go on
# accepting for a moment (nginx tells them 100 ms later); whoever asks after a reload must not be answered by them.
master=$1
workers() { cat "/proc/$master/task/$master/children"; }
before=$(workers) || exit 1
new=no
replaced() {
    for worker in $(workers); do
        case " $before " in
        *" $worker "*)
            case $(tr '\0' ' ' 2>/dev/null <"/proc/$worker/cmdline") in
            *"shutting down"*) ;;
            *"worker process"*) return 1 ;;
            esac
            ;;
        *) new=yes ;;
        esac
    done
    [ $new = yes ]
}
kill -HUP "$master" || exit 1
tries=0
while [ $tries -lt 100 ]; do
    replaced && exit 0
    sleep 0.05
    tries=$((tries + 1))
done
case $new in
no) echo "nginx started no new worker within 5 s: it kept the old configuration; the reason is in its journal" >&2 ;;
*) echo "nginx's old workers go on accepting, 5 s after new ones started; the reason is in its journal" >&2 ;;
esac
exit 1
