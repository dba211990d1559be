declare <4 x float> @llvm.masked.load.v4f32.p0(ptr, i32 immarg, <4 x i1>, <4 x float>)
declare void @llvm.masked.store.v4f32.p0(<4 x float>, ptr, i32 immarg, <4 x i1>)
define i32 @fuzz(ptr noalias %arg0, ptr noalias %arg1) nounwind {
entry:
  %v1 = alloca [64 x float], align 64
  %v2 = alloca [1 x float], align 64
  br label %enter.3
enter.3:
  br label %loop.3
loop.3:
  %v4 = phi i32 [ 0, %enter.3 ], [ %v5, %join.7 ]
  %v6 = icmp eq i32 %v4, 0
  br i1 %v6, label %then.7, label %join.7
then.7:
  %v8 = getelementptr inbounds float, ptr %arg0, i64 14
  %v9 = load float, ptr %v8, align 4
  %v10 = fmul contract float %v9, %v9
  store float %v10, ptr %v2, align 4
  br label %join.7
join.7:
  %v5 = add nsw i32 %v4, 1
  %v11 = icmp slt i32 %v5, 8
  br i1 %v11, label %loop.3, label %done.3, !llvm.loop !0
done.3:
  br label %enter.12
enter.12:
  br label %loop.12
loop.12:
  %v13 = phi i32 [ 0, %enter.12 ], [ %v14, %loop.12 ]
  %v15 = load float, ptr %v2, align 4
  %v16 = mul nsw i32 %v13, 8
  %v17 = sext i32 %v16 to i64
  %v18 = getelementptr inbounds float, ptr %v1, i64 %v17
  store float %v15, ptr %v18, align 4
  %v14 = add nsw i32 %v13, 1
  %v19 = icmp slt i32 %v14, 8
  br i1 %v19, label %loop.12, label %done.12
done.12:
  br label %enter.20
enter.20:
  br label %loop.20
loop.20:
  %v21 = phi i32 [ 0, %enter.20 ], [ %v22, %join.24 ]
  %v23 = icmp eq i32 %v21, 0
  br i1 %v23, label %then.24, label %join.24
then.24:
  %v25 = getelementptr inbounds float, ptr %arg0, i64 15
  %v26 = load float, ptr %v25, align 4
  %v27 = fmul contract float %v26, %v26
  store float %v27, ptr %v2, align 4
  br label %join.24
join.24:
  %v22 = add nsw i32 %v21, 1
  %v28 = icmp slt i32 %v22, 8
  br i1 %v28, label %loop.20, label %done.20, !llvm.loop !2
done.20:
  br label %enter.29
enter.29:
  br label %loop.29
loop.29:
  %v30 = phi i32 [ 0, %enter.29 ], [ %v31, %loop.29 ]
  %v32 = load float, ptr %v2, align 4
  %v33 = mul nsw i32 %v30, 8
  %v34 = add nsw i32 %v33, 1
  %v35 = sext i32 %v34 to i64
  %v36 = getelementptr inbounds float, ptr %v1, i64 %v35
  store float %v32, ptr %v36, align 4
  %v31 = add nsw i32 %v30, 1
  %v37 = icmp slt i32 %v31, 8
  br i1 %v37, label %loop.29, label %done.29
done.29:
  br label %enter.38
enter.38:
  br label %loop.38
loop.38:
  %v39 = phi i32 [ 0, %enter.38 ], [ %v40, %join.42 ]
  %v41 = icmp eq i32 %v39, 0
  br i1 %v41, label %then.42, label %join.42
then.42:
  %v43 = getelementptr inbounds float, ptr %arg0, i64 16
  %v44 = load float, ptr %v43, align 4
  %v45 = fmul contract float %v44, %v44
  store float %v45, ptr %v2, align 4
  br label %join.42
join.42:
  %v40 = add nsw i32 %v39, 1
  %v46 = icmp slt i32 %v40, 8
  br i1 %v46, label %loop.38, label %done.38, !llvm.loop !4
done.38:
  br label %enter.47
enter.47:
  br label %loop.47
loop.47:
  %v48 = phi i32 [ 0, %enter.47 ], [ %v49, %loop.47 ]
  %v50 = load float, ptr %v2, align 4
  %v51 = mul nsw i32 %v48, 8
  %v52 = add nsw i32 %v51, 2
  %v53 = sext i32 %v52 to i64
  %v54 = getelementptr inbounds float, ptr %v1, i64 %v53
  store float %v50, ptr %v54, align 4
  %v49 = add nsw i32 %v48, 1
  %v55 = icmp slt i32 %v49, 8
  br i1 %v55, label %loop.47, label %done.47
done.47:
  br label %enter.56
enter.56:
  br label %loop.56
loop.56:
  %v57 = phi i32 [ 0, %enter.56 ], [ %v58, %join.60 ]
  %v59 = icmp eq i32 %v57, 0
  br i1 %v59, label %then.60, label %join.60
then.60:
  %v61 = getelementptr inbounds float, ptr %arg0, i64 17
  %v62 = load float, ptr %v61, align 4
  %v63 = fmul contract float %v62, %v62
  store float %v63, ptr %v2, align 4
  br label %join.60
join.60:
  %v58 = add nsw i32 %v57, 1
  %v64 = icmp slt i32 %v58, 8
  br i1 %v64, label %loop.56, label %done.56, !llvm.loop !6
done.56:
  br label %enter.65
enter.65:
  br label %loop.65
loop.65:
  %v66 = phi i32 [ 0, %enter.65 ], [ %v67, %loop.65 ]
  %v68 = load float, ptr %v2, align 4
  %v69 = mul nsw i32 %v66, 8
  %v70 = add nsw i32 %v69, 3
  %v71 = sext i32 %v70 to i64
  %v72 = getelementptr inbounds float, ptr %v1, i64 %v71
  store float %v68, ptr %v72, align 4
  %v67 = add nsw i32 %v66, 1
  %v73 = icmp slt i32 %v67, 8
  br i1 %v73, label %loop.65, label %done.65
done.65:
  br label %enter.74
enter.74:
  br label %loop.74
loop.74:
  %v75 = phi i32 [ 0, %enter.74 ], [ %v76, %join.78 ]
  %v77 = icmp eq i32 %v75, 0
  br i1 %v77, label %then.78, label %join.78
then.78:
  %v79 = getelementptr inbounds float, ptr %arg0, i64 18
  %v80 = load float, ptr %v79, align 4
  %v81 = fmul contract float %v80, %v80
  store float %v81, ptr %v2, align 4
  br label %join.78
join.78:
  %v76 = add nsw i32 %v75, 1
  %v82 = icmp slt i32 %v76, 8
  br i1 %v82, label %loop.74, label %done.74, !llvm.loop !8
done.74:
  br label %enter.83
enter.83:
  br label %loop.83
loop.83:
  %v84 = phi i32 [ 0, %enter.83 ], [ %v85, %loop.83 ]
  %v86 = load float, ptr %v2, align 4
  %v87 = mul nsw i32 %v84, 8
  %v88 = add nsw i32 %v87, 4
  %v89 = sext i32 %v88 to i64
  %v90 = getelementptr inbounds float, ptr %v1, i64 %v89
  store float %v86, ptr %v90, align 4
  %v85 = add nsw i32 %v84, 1
  %v91 = icmp slt i32 %v85, 8
  br i1 %v91, label %loop.83, label %done.83
done.83:
  br label %enter.92
enter.92:
  br label %loop.92
loop.92:
  %v93 = phi i32 [ 0, %enter.92 ], [ %v94, %join.96 ]
  %v95 = icmp eq i32 %v93, 0
  br i1 %v95, label %then.96, label %join.96
then.96:
  %v97 = getelementptr inbounds float, ptr %arg0, i64 19
  %v98 = load float, ptr %v97, align 4
  %v99 = fmul contract float %v98, %v98
  store float %v99, ptr %v2, align 4
  br label %join.96
join.96:
  %v94 = add nsw i32 %v93, 1
  %v100 = icmp slt i32 %v94, 8
  br i1 %v100, label %loop.92, label %done.92, !llvm.loop !10
done.92:
  br label %enter.101
enter.101:
  br label %loop.101
loop.101:
  %v102 = phi i32 [ 0, %enter.101 ], [ %v103, %loop.101 ]
  %v104 = load float, ptr %v2, align 4
  %v105 = mul nsw i32 %v102, 8
  %v106 = add nsw i32 %v105, 5
  %v107 = sext i32 %v106 to i64
  %v108 = getelementptr inbounds float, ptr %v1, i64 %v107
  store float %v104, ptr %v108, align 4
  %v103 = add nsw i32 %v102, 1
  %v109 = icmp slt i32 %v103, 8
  br i1 %v109, label %loop.101, label %done.101
done.101:
  br label %enter.110
enter.110:
  br label %loop.110
loop.110:
  %v111 = phi i32 [ 0, %enter.110 ], [ %v112, %join.114 ]
  %v113 = icmp eq i32 %v111, 0
  br i1 %v113, label %then.114, label %join.114
then.114:
  %v115 = getelementptr inbounds float, ptr %arg0, i64 20
  %v116 = load float, ptr %v115, align 4
  %v117 = fmul contract float %v116, %v116
  store float %v117, ptr %v2, align 4
  br label %join.114
join.114:
  %v112 = add nsw i32 %v111, 1
  %v118 = icmp slt i32 %v112, 8
  br i1 %v118, label %loop.110, label %done.110, !llvm.loop !12
done.110:
  br label %enter.119
enter.119:
  br label %loop.119
loop.119:
  %v120 = phi i32 [ 0, %enter.119 ], [ %v121, %loop.119 ]
  %v122 = load float, ptr %v2, align 4
  %v123 = mul nsw i32 %v120, 8
  %v124 = add nsw i32 %v123, 6
  %v125 = sext i32 %v124 to i64
  %v126 = getelementptr inbounds float, ptr %v1, i64 %v125
  store float %v122, ptr %v126, align 4
  %v121 = add nsw i32 %v120, 1
  %v127 = icmp slt i32 %v121, 8
  br i1 %v127, label %loop.119, label %done.119
done.119:
  br label %enter.128
enter.128:
  br label %loop.128
loop.128:
  %v129 = phi i32 [ 0, %enter.128 ], [ %v130, %join.132 ]
  %v131 = icmp eq i32 %v129, 0
  br i1 %v131, label %then.132, label %join.132
then.132:
  %v133 = getelementptr inbounds float, ptr %arg0, i64 21
  %v134 = load float, ptr %v133, align 4
  %v135 = fmul contract float %v134, %v134
  store float %v135, ptr %v2, align 4
  br label %join.132
join.132:
  %v130 = add nsw i32 %v129, 1
  %v136 = icmp slt i32 %v130, 8
  br i1 %v136, label %loop.128, label %done.128, !llvm.loop !14
done.128:
  br label %enter.137
enter.137:
  br label %loop.137
loop.137:
  %v138 = phi i32 [ 0, %enter.137 ], [ %v139, %loop.137 ]
  %v140 = load float, ptr %v2, align 4
  %v141 = mul nsw i32 %v138, 8
  %v142 = add nsw i32 %v141, 7
  %v143 = sext i32 %v142 to i64
  %v144 = getelementptr inbounds float, ptr %v1, i64 %v143
  store float %v140, ptr %v144, align 4
  %v139 = add nsw i32 %v138, 1
  %v145 = icmp slt i32 %v139, 8
  br i1 %v145, label %loop.137, label %done.137
done.137:
  br label %enter.146
enter.146:
  br label %loop.146
loop.146:
  %v147 = phi i32 [ 0, %enter.146 ], [ %v148, %join.150 ]
  %v149 = icmp slt i32 %v147, 3
  br i1 %v149, label %then.150, label %join.150
then.150:
  %v151 = add nsw <4 x i32> splat (i32 0), <i32 0, i32 1, i32 2, i32 3>
  %v152 = icmp slt <4 x i32> %v151, splat (i32 3)
  %v153 = mul nsw i32 %v147, 3
  %v154 = insertelement <4 x i32> poison, i32 %v153, i64 0
  %v155 = shufflevector <4 x i32> %v154, <4 x i32> poison, <4 x i32> zeroinitializer
  %v156 = add nsw <4 x i32> %v155, <i32 0, i32 1, i32 2, i32 3>
  %v157 = icmp slt <4 x i32> %v156, splat (i32 8)
  %v158 = select <4 x i1> %v152, <4 x i1> %v157, <4 x i1> splat (i1 false)
  %v159 = mul nsw i32 %v147, 8
  %v160 = add nsw i32 %v159, %v153
  %v161 = sext i32 %v160 to i64
  %v162 = getelementptr float, ptr %v1, i64 %v161
  %v163 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr %v162, i32 4, <4 x i1> %v158, <4 x float> zeroinitializer)
  %v164 = sext i32 %v153 to i64
  %v165 = getelementptr float, ptr %arg1, i64 %v164
  call void @llvm.masked.store.v4f32.p0(<4 x float> %v163, ptr %v165, i32 4, <4 x i1> %v158)
  br label %join.150
join.150:
  %v148 = add nsw i32 %v147, 1
  %v166 = icmp slt i32 %v148, 8
  br i1 %v166, label %loop.146, label %done.146, !llvm.loop !16
done.146:
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
!8 = distinct !{!8, !9}
!9 = !{!"llvm.loop.vectorize.enable", i1 false}
!10 = distinct !{!10, !11}
!11 = !{!"llvm.loop.vectorize.enable", i1 false}
!12 = distinct !{!12, !13}
!13 = !{!"llvm.loop.vectorize.enable", i1 false}
!14 = distinct !{!14, !15}
!15 = !{!"llvm.loop.vectorize.enable", i1 false}
!16 = distinct !{!16, !17}
!17 = !{!"llvm.loop.vectorize.enable", i1 false}
