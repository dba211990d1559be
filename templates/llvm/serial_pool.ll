define i32 @gpucomp_parallel_for(ptr %fn, ptr %context, i64 %n) {
  %none = icmp slt i64 %n, 1
  br i1 %none, label %nothing, label %some
nothing:
  ret i32 0
some:
  %code = call i32 %fn(ptr %context, i64 0, i64 %n)
  ret i32 %code
}
