define i32 @gpucomp_probe(ptr %x, i32 %n) {
entry:
  %any = icmp sgt i32 %n, 0
  br i1 %any, label %loop, label %done
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %at = getelementptr float, ptr %x, i32 %i
  %old = load float, ptr %at
  %twice = fmul float %old, 2.0
  %new = fadd float %twice, 1.0
  store float %new, ptr %at
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret i32 0
}
