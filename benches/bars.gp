# One kind of flood, a panel for each transport. benches/plot sets kind, panels, work, out, libraries, least and most.
#
# The background is transparent, and the colours can be read on white and on black.

count = words(panels)
width = 300 * count + 80.0
set terminal svg size width, 400 font 'sans-serif,13' background '#ffffff00'
set output out
set datafile separator '\t'
set encoding utf8

ink = '#808890'
array COLOUR[5] = ['#2f81f7', '#d9822b', '#3a9d5d', '#a066d3', '#c2527c']
last = words(libraries)

set border 3 linecolor rgb ink
set xtics nomirror scale 0 textcolor rgb ink
set ytics nomirror textcolor rgb ink
set grid ytics linecolor rgb ink linewidth 0.4 dashtype 3
set logscale y
set yrange [least:most]
set style fill solid 1 noborder
set boxwidth 0.76 / last
set title textcolor rgb ink
set key off

what = kind eq 'latency' ? 'Microseconds one way: less is better' \
     : kind eq 'calls' ? 'Calls per second' \
     : kind eq 'fanout' ? 'Messages delivered per second' : 'Messages per second'
set label 10 what . '. ×: how many times as good as the best of the others' at screen 10 / width, screen 0.965 textcolor rgb ink
do for [p = 1:last] {
    set label p '■ ' . word(libraries, p) at screen (80 + 105 * (p - 1)) / width, screen 0.03 textcolor rgb COLOUR[p]
}
set label 9 '— the limit: no library' at screen (80 + 105 * last) / width, screen 0.03 textcolor rgb ink

set multiplot layout 1, count margins screen 80 / width, 0.99, 0.14, 0.84 spacing screen 20 / width, 0
do for [i = 1:count] {
    data = work . '/' . word(panels, i) . '.tsv'
    set title word(panels, i)
    set format y (i == 1 ? '%.0s %c' : '')
    stats data using 2 nooutput
    set xrange [-0.55 : STATS_records - 0.45]
    plot for [p = 1:last] data using ($0 + (p - (last + 1) / 2.0) * 0.8 / last):(column(p + 1)) with boxes linecolor rgb COLOUR[p], \
         data using ($0 - 0.42):(column(last + 2)):(0.84):(0) with vectors nohead linewidth 2.5 linecolor rgb ink, \
         data using 0:(column(last + 4)):(stringcolumn(last + 3)):xtic(1) with labels offset 0, 0.7 textcolor rgb COLOUR[1]
    unset label
}
unset multiplot
