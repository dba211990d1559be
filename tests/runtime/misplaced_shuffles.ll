; What LLVM 22's SLP vectorizer makes of this has shuffles before the products that they shuffle.
define i32 @misplaced(ptr noalias %a, ptr noalias %b, ptr noalias %c) nounwind {
  %v1 = alloca [112 x float], align 64
  %v2 = alloca [10 x i16], align 64
  br label %enter.3
enter.3:
  br label %loop.3
loop.3:
  %v3 = phi i32 [ 0, %enter.3 ], [ %v30, %done.6 ]
  br label %enter.6
enter.6:
  br label %loop.6
loop.6:
  %v4 = phi i32 [ 0, %enter.6 ], [ %v28, %done.9 ]
  br label %enter.9
enter.9:
  br label %loop.9
loop.9:
  %v5 = phi i32 [ 0, %enter.9 ], [ %v26, %done.12 ]
  br label %enter.12
enter.12:
  br label %loop.12
loop.12:
  %v6 = phi i32 [ 0, %enter.12 ], [ %v24, %loop.12 ]
  %v7 = mul i32 %v3, 50
  %v8 = mul i32 %v5, 10
  %v9 = add i32 %v7, %v8
  %v10 = mul i32 %v4, 2
  %v11 = add i32 %v9, %v10
  %v12 = add i32 %v11, %v6
  %v13 = sext i32 %v12 to i64
  %v14 = getelementptr inbounds i16, ptr %a, i64 %v13
  %v15 = load i16, ptr %v14, align 2
  %v16 = zext i16 %v15 to i32
  %v17 = bitcast i32 %v16 to float
  %v18 = getelementptr inbounds i16, ptr %b, i64 %v13
  %v19 = load i16, ptr %v18, align 2
  %v20 = zext i16 %v19 to i32
  %v21 = bitcast i32 %v20 to float
  %v22 = fmul contract float %v17, %v21
  %v23 = getelementptr inbounds float, ptr %v1, i64 %v13
  store float %v22, ptr %v23, align 4
  %v24 = add nsw i32 %v6, 1
  %v25 = icmp slt i32 %v24, 2
  br i1 %v25, label %loop.12, label %done.12, !llvm.loop !0
done.12:
  %v26 = add nsw i32 %v5, 1
  %v27 = icmp slt i32 %v26, 5
  br i1 %v27, label %loop.9, label %done.9, !llvm.loop !2
done.9:
  %v28 = add nsw i32 %v4, 1
  %v29 = icmp slt i32 %v28, 5
  br i1 %v29, label %loop.6, label %done.6, !llvm.loop !4
done.6:
  %v30 = add nsw i32 %v3, 1
  %v31 = icmp slt i32 %v30, 2
  br i1 %v31, label %loop.3, label %done.3, !llvm.loop !6
done.3:
  %v32 = getelementptr inbounds float, ptr %v1, i64 88
  %v33 = load float, ptr %v32, align 4
  %v34 = fsub contract float %v33, 0x4008000000000000
  %v35 = getelementptr inbounds i16, ptr %v2, i64 8
  %v36 = bitcast float %v34 to i32
  %v37 = trunc i32 %v36 to i16
  store i16 %v37, ptr %v35, align 2
  %v38 = getelementptr inbounds float, ptr %v1, i64 89
  %v39 = load float, ptr %v38, align 4
  %v40 = fsub contract float %v39, 0x4008000000000000
  %v41 = getelementptr inbounds i16, ptr %v2, i64 9
  %v42 = bitcast float %v40 to i32
  %v43 = trunc i32 %v42 to i16
  store i16 %v43, ptr %v41, align 2
  %v44 = getelementptr inbounds i16, ptr %v2, i64 8
  %v45 = load i16, ptr %v44, align 2
  %v46 = zext i16 %v45 to i32
  %v47 = bitcast i32 %v46 to float
  %v48 = getelementptr inbounds i16, ptr %a, i64 88
  %v49 = load i16, ptr %v48, align 2
  %v50 = zext i16 %v49 to i32
  %v51 = bitcast i32 %v50 to float
  %v52 = fadd contract float %v47, %v51
  %v53 = getelementptr inbounds i16, ptr %c, i64 88
  %v54 = bitcast float %v52 to i32
  %v55 = trunc i32 %v54 to i16
  store i16 %v55, ptr %v53, align 2
  %v56 = getelementptr inbounds i16, ptr %v2, i64 9
  %v57 = load i16, ptr %v56, align 2
  %v58 = zext i16 %v57 to i32
  %v59 = bitcast i32 %v58 to float
  %v60 = getelementptr inbounds i16, ptr %a, i64 89
  %v61 = load i16, ptr %v60, align 2
  %v62 = zext i16 %v61 to i32
  %v63 = bitcast i32 %v62 to float
  %v64 = fadd contract float %v59, %v63
  %v65 = getelementptr inbounds i16, ptr %c, i64 89
  %v66 = bitcast float %v64 to i32
  %v67 = trunc i32 %v66 to i16
  store i16 %v67, ptr %v65, align 2
  %v68 = getelementptr inbounds float, ptr %v1, i64 90
  %v69 = load float, ptr %v68, align 4
  %v70 = fsub contract float %v69, 0x4008000000000000
  %v71 = bitcast float %v70 to i32
  %v72 = trunc i32 %v71 to i16
  store i16 %v72, ptr %v2, align 2
  %v73 = getelementptr inbounds float, ptr %v1, i64 91
  %v74 = load float, ptr %v73, align 4
  %v75 = fsub contract float %v74, 0x4008000000000000
  %v76 = getelementptr inbounds i16, ptr %v2, i64 1
  %v77 = bitcast float %v75 to i32
  %v78 = trunc i32 %v77 to i16
  store i16 %v78, ptr %v76, align 2
  %v79 = load i16, ptr %v2, align 2
  %v80 = zext i16 %v79 to i32
  %v81 = bitcast i32 %v80 to float
  %v82 = getelementptr inbounds i16, ptr %a, i64 90
  %v83 = load i16, ptr %v82, align 2
  %v84 = zext i16 %v83 to i32
  %v85 = bitcast i32 %v84 to float
  %v86 = fadd contract float %v81, %v85
  %v87 = getelementptr inbounds i16, ptr %c, i64 90
  %v88 = bitcast float %v86 to i32
  %v89 = trunc i32 %v88 to i16
  store i16 %v89, ptr %v87, align 2
  %v90 = getelementptr inbounds i16, ptr %v2, i64 1
  %v91 = load i16, ptr %v90, align 2
  %v92 = zext i16 %v91 to i32
  %v93 = bitcast i32 %v92 to float
  %v94 = getelementptr inbounds i16, ptr %a, i64 91
  %v95 = load i16, ptr %v94, align 2
  %v96 = zext i16 %v95 to i32
  %v97 = bitcast i32 %v96 to float
  %v98 = fadd contract float %v93, %v97
  %v99 = getelementptr inbounds i16, ptr %c, i64 91
  %v100 = bitcast float %v98 to i32
  %v101 = trunc i32 %v100 to i16
  store i16 %v101, ptr %v99, align 2
  ret i32 0
}
!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = distinct !{!2, !3}
!3 = !{!"llvm.loop.vectorize.enable", i1 false}
!4 = distinct !{!4, !5}
!5 = !{!"llvm.loop.vectorize.enable", i1 false}
!6 = distinct !{!6, !7}
!7 = !{!"llvm.loop.vectorize.enable", i1 false}
