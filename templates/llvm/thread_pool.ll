declare i64 @syscall(i64, ...)
declare i32 @sched_yield()

@gpucomp_pool = global [${size} x i8] zeroinitializer, align 64

define internal void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk, i1 %helps) {
entry:
  %padded = add i64 %n, %chunk
  %ceiled = sub i64 %padded, 1
  %pieces = sdiv i64 %ceiled, %chunk
  %last = sub i64 %pieces, 1
  %one = select i1 %helps, i64 4294967296, i64 1
  br label %take
take:
  %taken = atomicrmw add ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${next}), i64 %one monotonic
  %first = and i64 %taken, 4294967295
  %behind = lshr i64 %taken, 32
  %count = add i64 %first, %behind
  %more = icmp slt i64 %count, %pieces
  br i1 %more, label %work, label %done
work:
  %mirrored = sub i64 %last, %behind
  %piece = select i1 %helps, i64 %mirrored, i64 %first
  %begin = mul i64 %piece, %chunk
  %reach = add i64 %begin, %chunk
  %over = icmp sgt i64 %reach, %n
  %end = select i1 %over, i64 %n, i64 %reach
  %code = call i32 %fn(ptr %context, i64 %begin, i64 %end)
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %take, label %failed
failed:
  %old = atomicrmw max ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${error}), i32 %code monotonic
  br label %take
done:
  ret void
}

define ptr @gpucomp_worker(ptr %unused) {
entry:
  br label %look
look:
  %seen = phi i32 [ 0, %entry ], [ %high, %left ], [ %seen, %look.again ], [ %seen, %pause ], [ %seen, %awake ]
  %spins = phi i32 [ 0, %entry ], [ 0, %left ], [ 0, %look.again ], [ %spun, %pause ], [ 0, %awake ]
  %state = load atomic i64, ptr @gpucomp_pool acquire, align 8
  %shifted = lshr i64 %state, 32
  %high = trunc i64 %shifted to i32
  %joined = trunc i64 %state to i32
  %bit = and i32 %high, 1
  %open = icmp ne i32 %bit, 0
  %fresh = icmp ne i32 %high, %seen
  %wanted = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${helpers}) monotonic, align 4
  %room = icmp slt i32 %joined, %wanted
  %may = and i1 %open, %fresh
  %join = and i1 %may, %room
  br i1 %join, label %try, label %idle
try:
  %raised = add i64 %state, 1
  %swap = cmpxchg ptr @gpucomp_pool, i64 %state, i64 %raised acq_rel monotonic
  %won = extractvalue { i64, i1 } %swap, 1
  br i1 %won, label %in, label %look.again
look.again:
  br label %look
in:
  %fn = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${job})
  %context = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${context})
  %n = load i64, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${count})
  %chunk = load i64, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${chunk})
  call void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk, i1 true)
  br label %left
left:
  %before = atomicrmw sub ptr @gpucomp_pool, i64 1 release
  br label %look
idle:
  %spun = add i32 %spins, 1
  %tired = icmp sgt i32 %spun, ${spins}
  br i1 %tired, label %park, label %pause
pause:
  call void asm sideeffect "${pause}", ""()
  br label %look
park:
  %s0 = atomicrmw add ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${sleepers}), i32 1 seq_cst
  %now = load atomic i64, ptr @gpucomp_pool seq_cst, align 8
  %now.shifted = lshr i64 %now, 32
  %now.high = trunc i64 %now.shifted to i32
  %same = icmp eq i32 %now.high, %high
  br i1 %same, label %sleep, label %awake
sleep:
  %slept = call i64 (i64, ...) @syscall(i64 ${futex}, ptr ${word}, i32 128, i32 %high, ptr null, ptr null, i32 0)
  br label %awake
awake:
  %s1 = atomicrmw sub ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${sleepers}), i32 1 seq_cst
  br label %look
}

define i32 @gpucomp_parallel_for(ptr %fn, ptr %context, i64 %n) {
entry:
  %none = icmp slt i64 %n, 1
  br i1 %none, label %nothing, label %some
nothing:
  ret i32 0
some:
  %limit = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${limit}) monotonic, align 4
  %alone = icmp slt i32 %limit, 2
  %single = icmp eq i64 %n, 1
  %small = or i1 %alone, %single
  br i1 %small, label %serial, label %lock
serial:
  %whole = call i32 %fn(ptr %context, i64 0, i64 %n)
  ret i32 %whole
lock:
  %got = cmpxchg ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${lock}), i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %got, 1
  br i1 %mine, label %staff, label %serial
staff:
  %extra = sub i32 %limit, 1
  %workers.0 = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${workers}) monotonic, align 4
  %enough = icmp sge i32 %workers.0, %extra
  br i1 %enough, label %prepare, label %hire
hire:
  %starter = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${start})
  call void %starter()
  %workers.1 = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${workers}) monotonic, align 4
  br label %prepare
prepare:
  %workers = phi i32 [ %workers.0, %staff ], [ %workers.1, %hire ]
  %fewer = icmp slt i32 %workers, %extra
  %useful = select i1 %fewer, i32 %workers, i32 %extra
  %useful.wide = sext i32 %useful to i64
  %others = sub i64 %n, 1
  %few = icmp slt i64 %others, %useful.wide
  %helpers.wide = select i1 %few, i64 %others, i64 %useful.wide
  %helpers = trunc i64 %helpers.wide to i32
  %threads = add i64 %helpers.wide, 1
  %parts = mul i64 %threads, 32
  %padded = add i64 %n, %parts
  %ceiled = sub i64 %padded, 1
  %chunk = sdiv i64 %ceiled, %parts
  store ptr %fn, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${job})
  store ptr %context, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${context})
  store i64 %n, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${count})
  store i64 %chunk, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${chunk})
  store i32 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${error})
  store atomic i32 %helpers, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${helpers}) monotonic, align 4
  store atomic i64 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${next}) monotonic, align 8
  %opened = atomicrmw add ptr @gpucomp_pool, i64 4294967296 seq_cst
  %asleep = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${sleepers}) seq_cst, align 4
  %wake = icmp sgt i32 %asleep, 0
  br i1 %wake, label %call, label %go
call:
  %woken = call i64 (i64, ...) @syscall(i64 ${futex}, ptr ${word}, i32 129, i32 %helpers, ptr null, ptr null, i32 0)
  br label %go
go:
  call void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk, i1 false)
  %closed = atomicrmw add ptr @gpucomp_pool, i64 4294967296 acq_rel
  br label %wait
wait:
  %turns = phi i32 [ 0, %go ], [ %turn, %rest ], [ 0, %yield ]
  %state = load atomic i64, ptr @gpucomp_pool acquire, align 8
  %inside = trunc i64 %state to i32
  %all = icmp eq i32 %inside, 0
  br i1 %all, label %finish, label %again
again:
  %turn = add i32 %turns, 1
  %long = icmp sgt i32 %turn, ${spins}
  br i1 %long, label %yield, label %rest
rest:
  call void asm sideeffect "${pause}", ""()
  br label %wait
yield:
  %ignored = call i32 @sched_yield()
  br label %wait
finish:
  %code = load i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${error})
  store atomic i32 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 ${lock}) release, align 4
  ret i32 %code
}
