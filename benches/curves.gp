# Figures over something that grows, a panel for each kind. benches/plot sets kind, panels, work, out, libraries, least and
# most.
#
# The background is transparent, and the colours can be read on white and on black.

count = words(panels)
width = 300 * count + 80.0
set terminal svg size width, 400 font 'sans-serif,13' background '#ffffff00'
set output out
set datafile separator '\t'
set encoding utf8

ink = '#808890'
array COLOUR[6] = ['#2f81f7', '#d9822b', '#3a9d5d', '#a066d3', '#c2527c', '#c2527c']
peers = libraries . ' bare'
COLOUR[words(peers)] = ink

set border 3 linecolor rgb ink
set xtics nomirror textcolor rgb ink
set ytics nomirror textcolor rgb ink
set grid ytics linecolor rgb ink linewidth 0.4 dashtype 3
set logscale xy
set yrange [least:most]
set format x '%.0f'
set title textcolor rgb ink
set key off

if (kind eq 'ages') {
    what = 'Age of a message in microseconds, over the pause between two in microseconds (dashed: 99 %): less is better'
    last = words(peers)
    set xrange [4:2500]
    set xtics (5, 30, 200, 2000)
} else {
    what = 'Messages per second over tcp, over the number of PULL, of PUSH, and of SUB: more is better'
    last = words(libraries)
    set xrange [0.8:1250]
    set xtics (1, 8, 60, 250, 1000)
}
set label 10 what at screen 10 / width, screen 0.965 textcolor rgb ink
do for [p = 1:last] {
    set label p '■ ' . word(peers, p) at screen (80 + 105 * (p - 1)) / width, screen 0.03 textcolor rgb COLOUR[p]
}

set multiplot layout 1, count margins screen 80 / width, 0.98, 0.14, 0.84 spacing screen 20 / width, 0
do for [i = 1:count] {
    data = work . '/' . word(panels, i) . '.tsv'
    set title word(panels, i)
    set format y (i == 1 ? '%.0s %c' : '')
    plot for [p = 1:last] data using 1:(column(2 * p)) with linespoints linewidth 2 pointtype 7 pointsize 0.4 linecolor rgb COLOUR[p], \
         for [p = 1:last] data using 1:(column(2 * p + 1)) with lines linewidth 1.2 dashtype 2 linecolor rgb COLOUR[p]
    unset label
}
unset multiplot
